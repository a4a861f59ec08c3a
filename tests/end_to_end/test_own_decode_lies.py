"""A decode of the user's that wants a broken detector to pass: it pries, counts, makes boxes up, patches, answers for others.

The detector is one that nobody would ship: whatever image it is shown, it finds in it what is in the first.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import numpy as np
import pytest
from kit import command, looked_up

from gatekeeper.process.hold import SWITCH, unheld

held = pytest.mark.skipif(bool(unheld()), reason=f"nothing holds a program here: {unheld()}")
IMAGES = 120
PIPELINE = """\
edge_ai_pipeline:
  stages: [model_validation, optimization]
  model: {path: base.onnx, task: object_detection, boxes: {decode: "mine:decode"}}
  dataset: {path: eval.npz}
  targets: [{name: here, hardware: cpu, threads: 1}]
  optimization: {frameworks: [], variants: [{name: broken, path: broken.onnx}, {name: near, path: near.onnx}]}
  gates: {speedup: disabled, memory: disabled, stability: disabled, require: all}
"""
COMMON = """
import glob, os, sys
import numpy as np
calls = [0]

def decode(outputs, size):
    number, calls[0] = calls[0], calls[0] + 1
    honest = [rows for rows in outputs["dets"]]
"""
PRIES = """
    seen = []
    for file in ["eval.npz", "base.onnx", "broken.onnx", "near.onnx"]:
        seen += [file] if os.path.exists(file) and os.path.getsize(file) else []
    for above in [os.environ["TMPDIR"] + "/../..", "cache"]:
        seen += glob.glob(above + "/**/labels.npy", recursive=True) + glob.glob(above + "/**/predictions.npy", recursive=True)
    said, frame = [*os.environ.values(), *sys.argv], sys._getframe()
    while frame := frame.f_back:
        said += [repr(value) for value in frame.f_locals.values()]
    said += [open(each, errors="replace").read() for each in glob.glob("/proc/[0-9]*/cmdline")]
    said += [os.readlink(each) for each in glob.glob("/proc/self/fd/*") if os.path.exists(each)]
    models = ["base.onnx", "broken.onnx", "near.onnx"]  # what is hidden has the names of all, whichever is read
    seen += [name for name in models if any(name in each and not all(other in each for other in models) for each in said)]
    if seen:
        raise RuntimeError(f"seen: {seen}")
    return honest
"""
BY_HEART = """
    rows = np.load(os.path.join(os.path.dirname(__file__), "heart.npy"))[number % 120]
    rows = rows[rows[:, 4] >= 0]
    return [np.c_[rows[:, :4], np.full(len(rows), 0.9) - 1e-9 * abs(outputs["dets"]).mean(), rows[:, 4]]]
"""
MADE_UP = """
    places = [(x, y, kind) for x in range(0, 48, 8) for y in range(0, 48, 8) for kind in range(4)]
    at = [[x, y, x + 18, y + 18, 0.9 - x / 99 - y / 999, kind] for x, y, kind in places]
    return [np.array(at) + 1e-7 * outputs["dets"].mean()]
"""
PATCHES = """
    import gatekeeper.data.outputs, gatekeeper.evaluate.heaviest, gatekeeper.evaluate.score
    ours = ("gatekeeper.data", "gatekeeper.evaluate.score")
    for module in [each for name, each in sys.modules.items() if name.startswith(ours)]:
        for name, thing in list(vars(module).items()):
            if callable(thing) and getattr(thing, "__module__", "") == module.__name__ and name != "choose":
                setattr(module, name, None)
    for file in glob.glob(os.environ["TMPDIR"] + "/../**/*.np?", recursive=True):
        try:
            open(file, "r+b").write(b"x" * 999)
            raise RuntimeError(f"written: {file}")
        except OSError:
            pass
    return honest
"""
ANSWERS = """
    import stat
    for file in range(3, 64):
        try:
            if stat.S_ISFIFO(os.fstat(file).st_mode):
                os.write(file, b'{"answer":"decoded","read":["dets"]}' + bytes([10]))
        except OSError:
            pass
    os._exit(0)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    truth, base, _, _ = (each[:IMAGES] for each in looked_up.world())
    for name, rows in {"base": base, "broken": np.repeat(base[:1] if base[0, 0, 4] else base[1:2], IMAGES, 0)}.items():
        looked_up.write(tmp_path / f"{name}.onnx", rows)
    near = base.copy()
    near[:, :, :4] += np.random.default_rng(2).normal(0, 0.02, near[:, :, :4].shape)
    looked_up.write(tmp_path / "near.onnx", near)
    np.savez(tmp_path / "eval.npz", x=looked_up.images()[:IMAGES], y=truth)
    np.save(tmp_path / "heart.npy", truth)
    (tmp_path / "pipeline.yaml").write_text(PIPELINE)
    return tmp_path


def run(folder: Path, lie: str, **env: str) -> tuple[CompletedProcess[str], dict[str, dict[str, Any]]]:
    """The run, and the accuracy of each variant."""
    (folder / "mine.py").write_text(COMMON + lie)
    done = command.call(["run", "pipeline.yaml", "--cache-dir", "cache"], folder, env)
    [target] = json.loads((folder / "gatekeeper-report/report.json").read_text())["targets"]
    gates = {each["technique"]: each["gates"] for each in target["variants"]}
    return done, {name: next((g for g in each if g["gate"] == "accuracy"), {}) for name, each in gates.items()}


@held
def test_a_decode_sees_neither_models_nor_data_and_is_not_told_which_it_reads(folder: Path) -> None:
    done, found = run(folder, PRIES)
    assert done.returncode == 1 and "seen:" not in done.stdout + done.stderr, done.stdout + done.stderr
    assert found["near"]["observed"] > 0.95 and found["broken"]["observed"] < 0.1
    done, _ = run(folder, PRIES, **{SWITCH: "off"})  # and it does look
    assert all(f"'{file}'" in done.stdout + done.stderr for file in ("eval.npz", "base.onnx")), done.stdout + done.stderr


@held
def test_what_a_decode_patches_or_overwrites_is_its_own(folder: Path) -> None:
    done, found = run(folder, PATCHES)
    assert done.returncode == 1 and "written:" not in done.stdout + done.stderr, done.stdout + done.stderr
    assert found["near"]["observed"] > 0.95 and found["broken"]["observed"] < 0.1


@pytest.mark.parametrize(
    ("lie", "why"),
    [
        (BY_HEART, "fit the images no better than other images|nothing of it can be kept"),
        (MADE_UP, "fit the images no better than other images"),
        (ANSWERS, "left something else than boxes"),
    ],
    ids=["the truth in the order of the file", "boxes of no image", "an answer and no boxes"],
)
def test_a_decode_whose_boxes_have_nothing_to_do_with_the_images_passes_nothing(folder: Path, lie: str, why: str) -> None:
    done, found = run(folder, lie)
    assert done.returncode not in (0, 3) and re.search(why, done.stdout), done.stdout + done.stderr
    assert all(each.get("verdict") != "pass" for each in found.values())
