"""`make test` and `make test-all`: first what bears neighbours, in two processes, then what does not, and what it all took."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from xml.etree import ElementTree

SHARED = "GATEKEEPER_TESTS_SHARED"  # read in once.py
SLOWEST = 10
SIDE_BY_SIDE = ["-n", "2", "--dist", "loadfile", "--no-loadscope-reorder"]  # a file's fixtures are made in one process
PARTS = (("side by side", "not serial", SIDE_BY_SIDE), ("alone", "serial", []))


def main(thorough: bool) -> int:
    """Run both parts even if the first fails; 0 if neither does."""
    codes, lines, times = [], [], list[tuple[float, str]]()
    with tempfile.TemporaryDirectory() as shared:
        for name, marked, words in PARTS:
            report, started = Path(shared) / "report.xml", time.monotonic()
            marks = marked if thorough else f"{marked} and not thorough"
            command = [sys.executable, "-m", "pytest", "-m", marks, *words, f"--junitxml={report}"]
            codes.append(subprocess.run(command, env=os.environ | {SHARED: shared}, check=False).returncode)
            took = time.monotonic() - started
            found = read(report)
            lines.append(
                f"{name:>14}: {len(found):,} tests in {took / 60:.1f} min{'' if codes[-1] == 0 else ', and not all is well'}"
            )
            times += found
    print(
        "\n".join([*lines, "slowest:", *(f"{seconds:12.1f} s  {test}" for seconds, test in sorted(times)[: -SLOWEST - 1 : -1])])
    )
    return max(codes)


def read(report: Path) -> list[tuple[float, str]]:
    """Seconds and name of each test of a JUnit file, the making of what it needs included."""
    if not report.exists():
        return []
    cases = ElementTree.parse(report).iter("testcase")
    return [(float(case.get("time", 0)), f"{case.get('classname')}::{case.get('name')}") for case in cases]


if __name__ == "__main__":
    sys.exit(main(thorough="--all" in sys.argv[1:]))
