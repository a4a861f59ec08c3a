"""Which operators to quantize: how many answers stay, and how fast the model then is, by the list of operators."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from kit import public_models
from kit.tables import render, write_table

from gatekeeper.data.prepared import write_prepared
from gatekeeper.frameworks import onnx_runtime
from gatekeeper.frameworks._base import OptimizeJob
from gatekeeper.frameworks.onnx_runtime import OrtSession
from gatekeeper.hardware.machine import this_machine
from gatekeeper.models.formats.onnx import inspect

KERNELS = {"MatMul", "Gemm", "Conv", "ConvTranspose"}
MOVES = {"MaxPool", "AveragePool", "GlobalAveragePool", "Reshape", "Transpose", "Flatten", "Squeeze", "Unsqueeze"}
MOVES |= {"Slice", "Pad", "Resize", "Concat", "Split"}
ACTIVATIONS = {"Relu", "Clip"}
LISTS: dict[str, tuple[str, set[str] | None]] = {
    "static: matrices, kernels": ("int8_static", KERNELS),
    "and Relu, Clip": ("int8_static", KERNELS | ACTIVATIONS),
    "and Gather": ("int8_static", KERNELS | ACTIVATIONS | {"Gather"}),
    "and pools, moves": ("int8_static", KERNELS | ACTIVATIONS | MOVES),
    "and Add": ("int8_static", KERNELS | ACTIVATIONS | MOVES | {"Add"}),
    "all it can": ("int8_static", None),
    "dynamic: matrices": ("int8_dynamic", {"MatMul", "Gemm"}),
    "and Conv": ("int8_dynamic", {"MatMul", "Gemm", "Conv"}),
    "all that it can": ("int8_dynamic", None),
}
EXAMPLES = ("digits-cnn", "digits-mlp", "digits-vit")
CALIBRATED, EVALUATED, TIMED, TURNS = 60, 200, 10, 9


@dataclass(frozen=True)
class Subject:
    """A model with its inputs: those before CALIBRATED set the scales, the others are asked."""

    name: str
    path: Path
    inputs: Any


def subjects(example: Callable[[str], Path]) -> list[Subject]:
    found = []
    for name in EXAMPLES:
        folder = example(name)
        with np.load(folder / "calib.npz") as calibration, np.load(folder / "eval.npz") as evaluation:
            key = calibration.files[0]
            parts = [calibration[key][:CALIBRATED], evaluation[key][:EVALUATED]]
        found.append(Subject(name, folder / "model.onnx", np.concatenate(parts)))
    if public_models.FOLDER:
        count = CALIBRATED + EVALUATED
        found += [Subject(name, public.path, public.inputs(count)) for name, public in public_models.MODELS.items()]
    return found


class Timed:
    """A session, its answers, and the processor's time of each turn."""

    def __init__(self, path: Path, inputs: Any):
        self.session = OrtSession(path, 1, "cpu")
        self.feeds = [{self.session.inputs[0]: inputs[i : i + 1]} for i in range(CALIBRATED, len(inputs))]
        self.answers = [self.session.run(feed)[-1].argmax(-1) for feed in self.feeds]
        self.seconds: list[float] = []

    def turn(self) -> None:
        started = time.process_time()
        for feed in self.feeds[:TIMED]:
            self.session.run(feed)
        self.seconds.append(time.process_time() - started)


def quantized(subject: Subject, technique: str, operators: set[str] | None, folder: Path) -> Path:
    """What a technique makes of the model where it is given these operators."""
    folder.mkdir()
    calibration = folder / "calibration"
    calibration.mkdir()
    name = inspect(subject.path).inputs[0].name
    write_prepared(calibration, {name: subject.inputs[:CALIBRATED]}, None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(onnx_runtime, "listed", lambda _: sorted(operators) if operators else None)
        onnx_runtime.optimize(
            OptimizeJob(
                source=subject.path,
                destination=folder,
                technique=technique,
                device="cpu",
                vnni=this_machine().vnni,
                calibration=calibration,
            )
        )
    return folder / "model.onnx"


def test_bench_operators(example: Callable[[str], Path], tmp_path: Path) -> None:
    rows = []
    for subject in subjects(example):
        original = Timed(subject.path, subject.inputs)
        made = {}
        for number, (name, (technique, operators)) in enumerate(LISTS.items()):
            folder = tmp_path / f"{len(rows)}-{number}"
            made[name] = Timed(quantized(subject, technique, operators, folder), subject.inputs)
        for _ in range(TURNS):
            for each in (original, *made.values()):
                each.turn()
        cells = [
            f"{np.mean([np.mean(a == b) for a, b in zip(each.answers, original.answers, strict=True)]):.1%}, "
            f"{np.median(original.seconds) / np.median(each.seconds):.2f}x"
            for each in made.values()
        ]
        rows.append([subject.name, *cells])
    note = f"Answers that stay, of {EVALUATED} inputs, and speed by the processor's time on one thread"
    note += f" ({'with' if this_machine().vnni else 'without'} VNNI); {CALIBRATED} calibration inputs."
    write_table("operators", f"{note}\n\n{render(['model', *LISTS], rows)}")
