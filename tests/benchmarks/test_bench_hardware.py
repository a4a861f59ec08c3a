"""`gatekeeper hardware` where no framework is installed: at most 10 x `import click` in the same run, which is under a second."""

from __future__ import annotations

import os
import site
import statistics
import subprocess
import sys
import time
from pathlib import Path

from kit.support import REPOSITORY

ROUNDS = 9
MOST = 10
"""Of `import click`, which takes 50 to 100 ms on a machine that does nothing else: at most a second."""
CORE = ("click", "yaml", "jsonschema", "msgspec", "rich", "junitparser", "psutil", "packaging", "attr", "referencing", "rpds")


def bare(folder: Path) -> dict[str, str]:
    """An import path with what the core needs, and no framework: links to what is installed here."""
    folder.mkdir()
    installed = Path(next(each for each in site.getsitepackages() if (Path(each) / "click").exists()))
    for each in installed.iterdir():
        name = each.name.lower().replace("-", "_")
        if name.partition(".")[0].split("_")[0] in {*CORE, "typing", "attrs", "jsonschema"} or name.startswith(CORE):
            (folder / each.name).symlink_to(each)
    return os.environ | {"PYTHONPATH": os.pathsep.join([str(folder), str(REPOSITORY)])}


def test_bench_hardware(tmp_path: Path) -> None:
    environment = bare(tmp_path / "core")
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    python = [sys.executable, "-S", "-P"]
    commands = {"import click": [*python, "-c", "import click"], "hardware": [*python, "-m", "gatekeeper", "hardware"]}
    times: dict[str, list[float]] = {name: [] for name in commands}
    for turn in range(ROUNDS + 1):
        for name, command in commands.items():
            start = time.perf_counter()
            done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
            if turn:
                times[name].append(time.perf_counter() - start)
    assert "onnxruntime is not installed" in done.stdout.replace("\n", " "), "a framework was there"
    took, base = (statistics.median(times[name]) for name in ("hardware", "import click"))
    print(f"\ngatekeeper hardware without frameworks: {took:.2f} s = {took / base:.1f} x `import click`, wanted <= {MOST} (1 s)")
    assert took / base <= MOST
