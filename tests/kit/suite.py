"""`make test` and `make test-all`: what bears neighbours, then what bears none, and what it all took."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from xml.etree import ElementTree

TESTS = Path(__file__).resolve().parents[1]
SHARED = "GATEKEEPER_TESTS_SHARED"  # read in once.py
SLOWEST = 10
FILES = 60
# A file's fixtures are made in one of the processes.
BY_FILE = ["--dist", "loadfile", "--no-loadscope-reorder"]


def parts() -> list[tuple[str, str, list[str]]]:
    """Name, marks and words of each call of pytest. Reading all files takes it long: all but the first read those they need.

    Four processes on two cores, as many tests wait.
    """
    return [
        ("side by side", "not serial", ["-n", "4", *BY_FILE]),
        ("alone", "serial", marked("serial")),
    ]


def marked(mark: str) -> list[str]:
    """The files in which a mark stands."""
    return [str(path) for path in sorted(TESTS.rglob("test_*.py")) if f"mark.{mark}" in path.read_text(encoding="utf-8")]


def main(thorough: bool) -> int:
    """Run every part even if one before it fails; 0 if none does."""
    codes, lines, times = [], [], list[tuple[float, str]]()
    # Compiled once and not in each of the processes; numpy's threads help no test.
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"} | {"OPENBLAS_NUM_THREADS": "1"}
    with tempfile.TemporaryDirectory() as shared:
        for name, marked, words in parts():
            report, started = Path(shared) / f"{name}.xml", time.monotonic()
            marks = marked if thorough else f"{marked} and not thorough"
            command = [sys.executable, "-m", "pytest", "-m", marks, *words, f"--junitxml={report}"]
            codes.append(subprocess.run(command, env=env | {SHARED: shared}, check=False).returncode)
            found = read(report)
            said = f"{len(found):,} tests in {(time.monotonic() - started) / 60:.1f} minutes"
            lines.append(f"{name}: {said}{', not all of them well' if codes[-1] else ''}")
            times += found
    slowest = [f"{seconds:8.1f} s  {test}" for seconds, test in sorted(times, reverse=True)[:SLOWEST]]
    print("", *lines, "slowest:", *slowest, "slowest files:", *by_file(times), sep="\n")
    return max(codes)


def by_file(times: list[tuple[float, str]]) -> list[str]:
    """What a whole file takes: many small tests cost more than a slow one."""
    files: dict[str, list[float]] = {}
    for seconds, test in times:
        files.setdefault(test.partition("::")[0], []).append(seconds)
    most = sorted(files.items(), key=lambda item: -sum(item[1]))[:FILES]
    return [f"{sum(each):8.1f} s  {file}, {len(each):,} tests" for file, each in most]


def read(report: Path) -> list[tuple[float, str]]:
    """Seconds and name of each test of a JUnit file, the making of what it needs included."""
    if not report.exists():
        return []
    cases = ElementTree.parse(report).iter("testcase")
    return [(float(case.get("time", 0)), f"{case.get('classname')}::{case.get('name')}") for case in cases]


if __name__ == "__main__":
    sys.exit(main(thorough="--all" in sys.argv[1:]))
