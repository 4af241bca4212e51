"""Every repository the build uses. All are local: Bazel downloads nothing."""

load("//third_party:clang_headers.bzl", "clang_headers_repository")
load("//third_party:pkg_config.bzl", "pkg_config_repository")

# Abseil under its own labels, so that BUILD files read as everywhere else.
_ABSL_MODULES = {
    "absl/algorithm:container": ["absl_algorithm_container"],
    "absl/base:base": ["absl_base"],
    "absl/base:core_headers": ["absl_core_headers"],
    "absl/cleanup:cleanup": ["absl_cleanup"],
    "absl/container:btree": ["absl_btree"],
    "absl/container:fixed_array": ["absl_fixed_array"],
    "absl/container:flat_hash_map": ["absl_flat_hash_map"],
    "absl/container:flat_hash_set": ["absl_flat_hash_set"],
    "absl/container:inlined_vector": ["absl_inlined_vector"],
    "absl/container:node_hash_map": ["absl_node_hash_map"],
    "absl/debugging:failure_signal_handler": ["absl_failure_signal_handler"],
    "absl/debugging:stacktrace": ["absl_stacktrace"],
    "absl/debugging:symbolize": ["absl_symbolize"],
    "absl/flags:config": ["absl_flags_config"],
    "absl/flags:flag": ["absl_flags"],
    "absl/flags:marshalling": ["absl_flags_marshalling"],
    "absl/flags:parse": ["absl_flags_parse"],
    "absl/flags:reflection": ["absl_flags_reflection"],
    "absl/flags:usage": ["absl_flags_usage"],
    "absl/functional:any_invocable": ["absl_any_invocable"],
    "absl/functional:bind_front": ["absl_bind_front"],
    "absl/functional:function_ref": ["absl_function_ref"],
    "absl/hash:hash": ["absl_hash"],
    "absl/memory:memory": ["absl_memory"],
    "absl/meta:type_traits": ["absl_type_traits"],
    "absl/numeric:bits": ["absl_bits"],
    "absl/numeric:int128": ["absl_int128"],
    "absl/random:bit_gen_ref": ["absl_random_bit_gen_ref"],
    "absl/random:distributions": ["absl_random_distributions"],
    "absl/random:random": ["absl_random_random"],
    "absl/status:status": ["absl_status"],
    "absl/status:statusor": ["absl_statusor"],
    "absl/strings:cord": ["absl_cord"],
    "absl/strings:str_format": ["absl_str_format"],
    "absl/strings:strings": ["absl_strings"],
    "absl/synchronization:synchronization": ["absl_synchronization"],
    "absl/time:time": ["absl_time"],
    "absl/types:optional": ["absl_optional"],
    "absl/types:span": ["absl_span"],
    "absl/types:variant": ["absl_variant"],
    "absl/utility:utility": ["absl_utility"],
}

# buildifier: disable=unnamed-macro
def rtmixd_dependencies():
    """Declares the installed libraries and the stand-ins for what Bazel would download."""
    native.local_repository(
        name = "rules_cc",
        path = "third_party/rules_cc",
    )
    native.local_repository(
        name = "rules_java",
        path = "third_party/rules_java",
    )
    native.local_repository(
        name = "remote_coverage_tools",
        path = "third_party/remote_coverage_tools",
    )
    pkg_config_repository(
        name = "absl",
        modules = _ABSL_MODULES,
    )
    pkg_config_repository(
        name = "grpc",
        modules = {
            ":grpc++": ["grpc++", "protobuf"],
            ":grpc++_reflection": ["grpc++", "protobuf"],
        },
        programs = ["grpc_cpp_plugin"],
        # It registers itself when loaded, and nothing calls it.
        extra_linkopts = {
            ":grpc++_reflection": ["-Wl,--push-state,--no-as-needed", "-lgrpc++_reflection", "-Wl,--pop-state"],
        },
    )
    pkg_config_repository(
        name = "protobuf",
        modules = {":protobuf": ["protobuf"]},
        programs = ["protoc"],
    )
    pkg_config_repository(
        name = "googletest",
        modules = {
            ":gmock": ["gmock", "gtest"],
            ":gtest": ["gmock", "gtest"],
            ":gtest_main": ["gmock_main", "gmock", "gtest"],
        },
    )
    pkg_config_repository(
        name = "audio",
        modules = {
            ":jack": ["jack"],
            ":portaudio": ["portaudio-2.0"],
            # For those who load the library while running: nothing to link, only system headers.
            ":portaudio_headers": [],
            ":samplerate": ["samplerate"],
            ":sndfile": ["sndfile"],
        },
    )
    pkg_config_repository(
        name = "kissfft",
        # Its C++ template is in headers alone; the module tells that it is there.
        modules = {":kissfft": ["kissfft-float"]},
    )

    # What gRPC uses, too: certificates and hashes.
    pkg_config_repository(
        name = "openssl",
        modules = {
            ":crypto": ["libcrypto"],
            ":ssl": ["libssl"],
        },
    )
    pkg_config_repository(
        name = "cli11",
        modules = {":cli11": ["CLI11"]},
    )
    clang_headers_repository(name = "clang_headers")
