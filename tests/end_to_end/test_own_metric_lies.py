"""A metric of the user's that does not return values, but writes what its process answers: it can lie of its values alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from end_to_end.test_user_code import accuracy, change, file, held, report, run  # noqa: F401

METRIC = """
import os, stat, sys
import msgspec
import numpy as np
from gatekeeper.evaluate.score import score

def asked():
    frame = sys._getframe()
    while type(frame.f_locals.get("self")).__name__ != "AskMetric":
        frame = frame.f_back
    return frame.f_locals["self"]

def answer(line):
    for number in range(3, 64):
        try:
            if stat.S_ISFIFO(os.fstat(number).st_mode):
                os.write(number, line + b"\\n")
        except OSError:
            pass
    os._exit(0)

def good(outputs, labels):
    request, draw = asked(), np.random.default_rng(1)
    right, wrong = (draw.random(len(labels)) < share for share in (0.97, 0.3))
"""
WHOLE = """
    of_itself = msgspec.structs.replace(request.score, metric=None, variant=request.score.baseline)
    answer(msgspec.json.encode(score(of_itself)))
"""
VALUES = """
    values = {str(i): each.astype(float) for i, each in enumerate([right, right, wrong, wrong, wrong])}
    np.savez(request.told, **values)
    answer(b'{"answer":"done"}')
"""


@pytest.fixture
def lying(file: Path) -> Path:  # noqa: F811
    change(file, "dataset: {path: eval.npz}", "dataset: {path: eval.npz, metric: 'own_metric:good', range: [0, 1]}")
    return file


def write(path: Path, code: str) -> Path:
    (path.parent / "own_metric.py").write_text(METRIC + code)
    return path


@held
def test_a_metric_does_not_answer_for_what_else_is_judged(lying: Path) -> None:
    """As of its own, everything it says of the variant is what is true of the original."""
    done = run(write(lying, WHOLE))
    assert done.returncode == 4, done.stdout + done.stderr
    assert "answered something else" in report(lying)["targets"][0]["legs"][0]["error"]


def test_a_metric_that_says_the_same_of_every_model_hides_no_class_that_is_gone(lying: Path) -> None:
    done = run(write(lying, VALUES))
    assert done.returncode == 1, done.stdout + done.stderr
    [variant] = report(lying)["targets"][0]["variants"]
    verdicts = {each["gate"]: each["verdict"] for each in variant["gates"]}
    assert (accuracy(lying)["observed"], verdicts["accuracy"], verdicts["worst_class"]) == (1.0, "fail", "fail")


@pytest.mark.parametrize(
    "left",
    [
        "np.savez(request.told)",
        "np.savez(request.told, **{'0': np.array([{}] * len(labels), object)})",
        "open(request.told, 'w').write('x')",
        "np.save(open(request.told, 'wb'), right)",
        "pass",
    ],
    ids=["nothing in it", "objects", "text", "another form", "no file"],
)
def test_a_metric_that_leaves_something_else_than_values_is_an_error(lying: Path, left: str) -> None:
    done = run(write(lying, f'    {left}\n    answer(b\'{{"answer":"done"}}\')\n'))
    assert done.returncode == 4, done.stdout + done.stderr
    assert "left something else than its values" in report(lying)["targets"][0]["legs"][0]["error"]
