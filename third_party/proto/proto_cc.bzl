"""C++ from protos, by the installed protoc and its gRPC plugin."""

def _generate(name, srcs, suffix, out_flag, tools):
    """Declares <proto>.<suffix>.{h,cc} for each proto, beside it in the output tree; returns headers and sources."""
    stems = [src[:-len(".proto")] for src in srcs]
    headers = [stem + suffix + ".h" for stem in stems]
    sources = [stem + suffix + ".cc" for stem in stems]
    package = native.package_name()
    native.genrule(
        name = name + "_generate",
        srcs = native.glob(["**/*.proto"]),
        outs = headers + sources,
        # Imports start at the package that calls the macro; protoc adds its own google/protobuf.
        cmd = "$(location @protobuf//:protoc) --proto_path={package} {flag}=$(GENDIR)/{package} {protos}".format(
            package = package,
            flag = out_flag,
            protos = " ".join([package + "/" + src for src in srcs]),
        ),
        exec_tools = ["@protobuf//:protoc"] + tools,
        visibility = ["//visibility:private"],
    )
    return headers, sources

def _library(name, generated, deps, **kwargs):
    headers, sources = generated
    native.cc_library(
        name = name,
        srcs = sources,
        hdrs = headers,
        # Generated code answers to its generator: no warnings in it, and system headers to all others.
        copts = ["-w"],
        includes = ["."],
        deps = deps,
        **kwargs
    )

def rtmixd_cc_proto(name, srcs, deps = [], **kwargs):
    """Message classes: `a/b.proto` of this package is included as "a/b.pb.h".

    Args:
      name: the cc_library.
      srcs: protos of this package, which import each other by their path within it.
      deps: other cc_library targets that generated code needs.
      **kwargs: passed to the cc_library.
    """
    _library(
        name,
        _generate(name, srcs, ".pb", "--cpp_out", []),
        deps + ["@protobuf//:protobuf"],
        **kwargs
    )

def rtmixd_cc_grpc(name, srcs, deps, **kwargs):
    """Service classes: `a/b.proto` of this package is included as "a/b.grpc.pb.h".

    Args:
      name: the cc_library.
      srcs: those protos that declare services.
      deps: the rtmixd_cc_proto of the same protos, and other cc_library targets.
      **kwargs: passed to the cc_library.
    """
    _library(
        name,
        _generate(
            name,
            srcs,
            ".grpc.pb",
            "--plugin=protoc-gen-grpc=$(location @grpc//:grpc_cpp_plugin) --grpc_out",
            ["@grpc//:grpc_cpp_plugin"],
        ),
        deps + ["@grpc//:grpc++"],
        **kwargs
    )
