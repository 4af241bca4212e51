#!/usr/bin/env python3
"""Runs clang-tidy over the C++ sources of Bazel targets (`//...`), as Bazel compiles them.

    tools/clang_tidy.py CLANG_TIDY CACHE_DIR TARGETS [BAZEL_FLAG...]

Also writes compile_commands.json at the top of the checkout, for editors. A source that was clean is remembered in
CACHE_DIR by a hash of all that the verdict depends on (itself, the headers of ours it reaches, flags, checks), so that
a second run looks only at what changed.
"""

import concurrent.futures
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys

BAZEL = ["bazel"]
if os.environ.get("RTMIXD_BAZEL_OUTPUT_BASE"):
    BAZEL.append("--output_base=" + os.environ["RTMIXD_BAZEL_OUTPUT_BASE"])

# Known to GCC only.
GCC_FLAGS = {
    "-fno-canonical-system-headers",
    "-Wno-free-nonheap-object",
    "-Wunused-but-set-parameter",
}


def bazel(command: str, *arguments: str) -> str:
    result = subprocess.run(
        [*BAZEL, command, "--noshow_progress", "--ui_event_filters=-info", *arguments],
        stdout=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
    )
    if result.returncode:
        sys.exit(f"clang-tidy: bazel {command} failed")
    return result.stdout


def external_path(flags: list[str]) -> str:
    """Returns where Bazel has what is not of this checkout."""
    return bazel("info", "output_base", *flags).strip() + "/external"


def compile_commands(targets: str, flags: list[str]) -> dict[str, list[str]]:
    """Returns source path -> compiler arguments, after generating every header that the sources include."""
    # Headers that are generated are what compilation needs beside the sources.
    bazel("build", "--output_groups=compilation_prerequisites_INTERNAL_", *flags, targets)
    output_path = bazel("info", "output_path", *flags).strip()
    externals = external_path(flags)
    compiles = bazel("aquery", "--output=jsonproto", *flags, f'mnemonic("CppCompile", {targets})')
    commands = {}
    for action in json.loads(compiles).get("actions", []):
        arguments = action["arguments"]
        source = arguments[arguments.index("-c") + 1]
        if source.startswith(("bazel-out/", "external/")):
            continue
        # Bazel redefines __DATE__ and its like, for builds that can be repeated; clang-tidy objects.
        kept = [
            a
            for a in arguments[1 : arguments.index("-c")]
            if a not in GCC_FLAGS and not re.match("-D__(DATE|TIME|TIMESTAMP)__=", a)
        ]
        # Dependency files and objects are of no use here, and would need folders that may not exist.
        for option, count in (("-MD", 1), ("-MF", 2), ("-o", 2)):
            while option in kept:
                at = kept.index(option)
                del kept[at : at + count]
        kept = [re.sub(r"^bazel-out(?=/)", output_path, a) for a in kept]
        commands[source] = [re.sub(r"^external(?=/)", externals, a) for a in kept]
    return commands


def reached_files(
    source: str, include_roots: list[pathlib.Path], known: dict[pathlib.Path, list[str]]
) -> list[pathlib.Path]:
    """The source and every header, ours or generated, that it includes by a quoted path, directly or not."""
    reached = []
    pending = [pathlib.Path(source)]
    while pending:
        path = pending.pop()
        if path in reached:
            continue
        reached.append(path)
        if path not in known:
            text = path.read_text()
            known[path] = re.findall(r'^\s*#\s*include\s*"([^"]+)"', text, re.MULTILINE)
        for include in known[path]:
            candidates = [root / include for root in include_roots]
            pending += [path for path in candidates if path.is_file()][:1]
    return sorted(reached)


def tidy(
    program: str, source: str, arguments: list[str], cache: pathlib.Path, key: str
) -> tuple[str, str]:
    """Returns the source and what clang-tidy found in it, empty when it is clean."""
    memory = cache / key
    if memory.exists():
        return source, ""
    result = subprocess.run(
        [program, "--quiet", source, "--", *arguments, "-Wno-unknown-warning-option"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
    )
    if result.returncode == 0:
        memory.touch()
        return source, ""
    # Standard error only counts the warnings that were suppressed, unless clang-tidy itself fails.
    return source, result.stdout or result.stderr


def main() -> int:
    program, cache_dir, targets, *flags = sys.argv[1:]
    cache = pathlib.Path(cache_dir)
    cache.mkdir(parents=True, exist_ok=True)
    commands = compile_commands(targets, flags)
    with open("compile_commands.json", "w") as file:
        json.dump(
            [
                {"directory": os.getcwd(), "file": s, "arguments": ["clang++", *a, "-c", s]}
                for s, a in commands.items()
            ],
            file,
            indent=1,
        )

    version = subprocess.run([program, "--version"], check=True, stdout=subprocess.PIPE).stdout
    output_path = bazel("info", "output_path", *flags).strip()
    externals = external_path(flags)
    generated = pathlib.Path(bazel("info", "bazel-bin", *flags).strip()) / "proto"
    include_roots = [pathlib.Path("."), generated]
    known: dict[pathlib.Path, list[str]] = {}
    keys = {}
    for source, arguments in commands.items():
        # Where Bazel builds differs from checkout to checkout and decides nothing.
        places = "\0".join(arguments).replace(output_path, "").replace(externals, "external")
        digest = hashlib.sha256(version + places.encode())
        for folder in pathlib.Path(source).parents:
            if (checks := folder / ".clang-tidy").exists():
                digest.update(checks.read_bytes())
        for path in reached_files(source, include_roots, known):
            place = str(path).replace(str(generated), "generated")
            digest.update(place.encode() + b"\0" + path.read_bytes())
        keys[source] = digest.hexdigest()

    failed = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        jobs = [pool.submit(tidy, program, s, a, cache, keys[s]) for s, a in commands.items()]
        for job in concurrent.futures.as_completed(jobs):
            source, findings = job.result()
            if findings:
                failed += 1
                print(f"{source}:\n{findings}", flush=True)
    print(f"clang-tidy: {len(commands) - failed} sources clean, {failed} not")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
