"""Debian's -dev packages as Bazel repositories.

Versions and paths are never written down: each target's compile and link options are what pkg-config says on the
machine that builds. Headers under /usr/include are system headers to the compiler, so they trip no warning of ours.
"""

def _query(ctx, modules, flag):
    if not modules:
        return []
    result = ctx.execute(["pkg-config", flag] + modules)
    if result.return_code != 0:
        fail("pkg-config %s %s failed; run tools/setup.\n%s" % (flag, " ".join(modules), result.stderr))
    options = []
    for option in result.stdout.split(" "):
        option = option.strip()

        # Abseil's modules name the same library many times over.
        if option and option not in options:
            options.append(option)
    return options

def _library(ctx, name, modules, extra_linkopts):
    outside = [o for o in _query(ctx, modules, "--cflags-only-I") if not o.startswith("-I/usr/include")]
    if outside:
        fail("%s keeps its headers where the compiler does not look: %s" % (name, outside))
    return """
cc_library(
    name = %r,
    defines = %r,
    linkopts = %r,
)
""" % (
        name,
        [o[2:] for o in _query(ctx, modules, "--cflags-only-other") if o.startswith("-D")],
        # A binary loads what it uses, not the eighty libraries that gRPC names.
        extra_linkopts + ["-Wl,--push-state,--as-needed"] + _query(ctx, modules, "--libs") + ["-Wl,--pop-state"],
    )

def _pkg_config_repository_impl(ctx):
    packages = {}
    for label, modules in ctx.attr.modules.items():
        package, _, name = label.rpartition(":")
        packages.setdefault(package, []).append(
            _library(ctx, name, modules, ctx.attr.extra_linkopts.get(label, [])),
        )
    for program in ctx.attr.programs:
        path = ctx.which(program)
        if not path:
            fail("%s is not installed; run tools/setup." % program)
        ctx.symlink(path, program)
        packages.setdefault("", []).append("\nexports_files([%r])\n" % program)
    for package, libraries in packages.items():
        ctx.file(
            package + "/BUILD" if package else "BUILD",
            "package(default_visibility = [\"//visibility:public\"])\n" + "".join(libraries),
            executable = False,
        )

pkg_config_repository = repository_rule(
    implementation = _pkg_config_repository_impl,
    doc = "A repository of cc_library targets that stand for installed libraries.",
    attrs = {
        "modules": attr.string_list_dict(
            doc = "Label within the repository (\"package:name\" or \":name\") to its pkg-config modules.",
        ),
        "extra_linkopts": attr.string_list_dict(
            doc = "Label to link options for libraries that have no pkg-config module, put in front.",
        ),
        "programs": attr.string_list(doc = "Installed programs that the build runs, as labels of the same name."),
    },
    configure = True,
    local = True,
)
