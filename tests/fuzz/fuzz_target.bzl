"""Fuzz targets: one function that takes bytes, run in two ways."""

def fuzz_target(name, srcs, deps, tags = [], **kwargs):
    """A program that hands bytes to LLVMFuzzerTestOneInput.

    With --config=fuzz it is libFuzzer's, which tools/fuzz runs; otherwise a test that replays the corpus, corpus/NAME, under any
    compiler and sanitizer.

    Args:
      name: of the target, and of the folder of its corpus.
      srcs: with the definition of LLVMFuzzerTestOneInput.
      deps: of srcs.
      tags: of the test.
      **kwargs: as for cc_test.
    """
    native.cc_test(
        name = name,
        srcs = srcs,
        args = ["tests/fuzz/corpus/" + name],
        data = native.glob(["corpus/" + name + "/*"]),
        linkopts = select({
            ":libfuzzer": ["-fsanitize=fuzzer"],
            "//conditions:default": [],
        }),
        tags = tags,
        deps = deps + select({
            ":libfuzzer": [],
            "//conditions:default": [":replay"],
        }),
        **kwargs
    )
