"""Headers that come with clang and that any compiler can read, found where the installed clang keeps them."""

def _clang_headers_repository_impl(ctx):
    result = ctx.execute(["clang", "-print-resource-dir"])
    if result.return_code != 0:
        fail("clang -print-resource-dir failed; run tools/setup.\n%s" % result.stderr)
    ctx.symlink(result.stdout.strip() + "/include/fuzzer/FuzzedDataProvider.h", "fuzzer/FuzzedDataProvider.h")
    ctx.file("BUILD", """
cc_library(
    name = "fuzzed_data_provider",
    hdrs = ["fuzzer/FuzzedDataProvider.h"],
    includes = ["."],
    visibility = ["//visibility:public"],
)
""", executable = False)

clang_headers_repository = repository_rule(
    implementation = _clang_headers_repository_impl,
    doc = "libFuzzer's header that cuts bytes into values.",
    configure = True,
    local = True,
)
