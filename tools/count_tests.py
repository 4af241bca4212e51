#!/usr/bin/env python3
"""Counts test cases in what `bazel test --build_event_json_file`, or `pytest --junit-xml`, wrote.

    tools/count_tests.py EVENTS_FILE BAZEL_EXIT_CODE
    tools/count_tests.py --junit JUNIT_FILE PYTEST_EXIT_CODE

Names each failure on standard error and prints "PASSED FAILED". A case is one TEST of GoogleTest, or a whole test
program that reports no cases. What did not build, crashed, timed out or was skipped has failed: it proved nothing.
"""

import json
import pathlib
import sys
import urllib.parse
import urllib.request
import xml.etree.ElementTree


def count_junit(path: str, exit_code: int) -> tuple[int, list[str]]:
    """Returns how many cases of pytest passed, and the names of the others."""
    cases = read_cases(pathlib.Path(path).absolute().as_uri())
    failures = [name for name, good in cases if not good]
    if exit_code and not failures:
        failures.append(f"pytest itself (exit code {exit_code})")
    return sum(good for _, good in cases), failures


def read_cases(xml_uri: str) -> list[tuple[str, bool]]:
    """Returns (name, passed) of every case in a test.xml, none when it is missing or cut short."""
    try:
        path = urllib.request.url2pathname(urllib.parse.urlparse(xml_uri).path)
        root = xml.etree.ElementTree.parse(path).getroot()
    except (OSError, xml.etree.ElementTree.ParseError):
        return []
    cases = []
    for case in root.iter("testcase"):
        bad = [case.find(tag) is not None for tag in ("failure", "error", "skipped")]
        ran = case.get("status", "run") == "run"
        name = f"{case.get('classname', '')}.{case.get('name')}".lstrip(".")
        cases.append((name, ran and not any(bad)))
    return cases


def count_bazel(events_path: str, bazel_exit_code: int) -> tuple[int, list[str]]:
    """Returns how many cases passed, and the names of what failed."""
    results = {}  # (label, run, shard) -> the last attempt's (status, uri of test.xml)
    failed_targets = set()
    with open(events_path) as events:
        for event in map(json.loads, events):
            if "testResult" in event["id"]:
                test = event["id"]["testResult"]
                result = event["testResult"]
                uris = [o["uri"] for o in result.get("testActionOutput", []) if o["name"] == "test.xml"]
                key = (test["label"], test.get("run"), test.get("shard"))
                results[key] = (result.get("status"), uris[0] if uris else "")
            elif "targetCompleted" in event["id"]:
                if not event.get("completed", {}).get("success"):
                    failed_targets.add(event["id"]["targetCompleted"]["label"])

    passed = 0
    failures = []
    for (label, _, _), (status, uri) in results.items():
        cases = read_cases(uri)
        bad = [name for name, good in cases if not good]
        if status != "PASSED" and not bad:
            bad = [f"the whole program ({status})"]
        failures += [f"{label} {name}" for name in bad]
        passed += sum(good for _, good in cases) if cases else status == "PASSED"
    tested = {label for label, _, _ in results}
    failures += [f"{label} (did not build)" for label in sorted(failed_targets - tested)]
    if bazel_exit_code and not failures:
        failures.append(f"bazel itself (exit code {bazel_exit_code})")
    return passed, failures


def main() -> int:
    """Counts, names the failures and prints the numbers."""
    count = count_junit if sys.argv[1] == "--junit" else count_bazel
    passed, failures = count(sys.argv[-2], int(sys.argv[-1]))
    for failure in failures:
        print(f"FAILED: {failure}", file=sys.stderr)
    print(passed, len(failures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
