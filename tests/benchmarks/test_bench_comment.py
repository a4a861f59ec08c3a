"""The last job of a matrix of 1,000 legs: merge, every report, comment and annotations in 5 s of CPU time and 300 MB."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from test_bench_merge import LEGS, VARIANTS, write_legs

FAN_IN = """
import gc, resource, sys
from pathlib import Path
from gatekeeper.github.annotations import annotations
from gatekeeper.verdicts.merge import merge
from gatekeeper.reports._read import read_report
from gatekeeper.reports._write import write_reports
from gatekeeper.reports.markdown import COMMENT_BYTES, fit

gc.disable()  # as `gatekeeper report` does
report = merge([read_report(file) for file in sorted(Path("legs").rglob("report.json"))])
write_reports(report, Path("merged"))
Path("comment.md").write_text(fit(report, COMMENT_BYTES, "https://github.com/o/r/actions/runs/1"), "utf-8")
Path("annotations").write_text("\\n".join(annotations(report)), "utf-8")
used = resource.getrusage(resource.RUSAGE_SELF)
print(used.ru_utime + used.ru_stime, used.ru_maxrss * (1 if sys.platform == "darwin" else 1024), file=sys.stderr)
"""


def test_bench_comment(example: Callable[[str], Path], tmp_path: Path) -> None:
    write_legs(example, tmp_path)
    run = subprocess.run(
        [sys.executable, "-c", FAN_IN],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=True,
        env=os.environ,
    )
    cpu, peak = (float(number) for number in run.stderr.split()[-2:])
    sizes = {p.name: p.stat().st_size for p in (tmp_path / "merged").iterdir()} | {
        "comment.md": (tmp_path / "comment.md").stat().st_size
    }
    merged = json.loads((tmp_path / "merged/report.json").read_text())
    print(f"\n{LEGS} legs to comment: {cpu:.2f} s of CPU time, wanted < 5 s; {peak / 1e6:.0f} MB, wanted < 300 MB")
    print(", ".join(f"{name} {size / 1e3:,.0f} kB" for name, size in sorted(sizes.items())))
    assert sum(len(t["variants"]) for t in merged["targets"]) == LEGS * VARIANTS
    assert (tmp_path / "comment.md").read_text("utf-8").startswith("## ")
    assert sizes["comment.md"] <= 60_000
    assert cpu < 5
    assert peak < 300e6
