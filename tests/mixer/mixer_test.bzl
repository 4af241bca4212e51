"""Tests of what runs on the audio thread."""

def mixer_test(name, deps, size = "small", tags = [], driver = False, **kwargs):
    """A test NAME_test, and the same again, NAME_guarded_test, under the guard of the audio thread.

    Args:
      name: of the test, without _test; its source is NAME_test.cc.
      deps: of both.
      size: of both.
      tags: of the first; the guard takes the place of what sanitizers replace.
      driver: they use StepDriver.
      **kwargs: of both, as for cc_test.
    """
    native.cc_test(
        name = name + "_test",
        size = size,
        srcs = [name + "_test.cc"],
        tags = tags,
        deps = deps + ["//tests/support:as_audio_thread"] + ([":step_driver"] if driver else []),
        **kwargs
    )
    native.cc_test(
        name = name + "_guarded_test",
        size = size,
        srcs = [name + "_test.cc"],
        local_defines = ["RTMIXD_RT_GUARD"],
        deps = deps + [
            "//tests/support:as_audio_thread",
            "//tests/support:rt_guard",
        ] + ([":step_driver_guarded"] if driver else []),
        **kwargs
    )
