"""Models whose true speed ratio is known: one inference is a real ONNX Runtime run, repeated N times.

The artifact says N, so the ratio of two artifacts is N_baseline / N_variant whatever the machine does. What an inference
costs beside its runs is a Python call, some 0.3 us of 1.5 ms; the cost of the loop is part of the unit.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean

import numpy as np
import onnx
import pytest
from kit.support import install_framework, spec
from onnx import helper, numpy_helper

from gatekeeper.gates import speedup
from gatekeeper.ids import BASELINE
from gatekeeper.measure.race import Limits, Race, race
from gatekeeper.measure.rounds import Arm, Settings
from gatekeeper.progress import Silent
from gatekeeper.records.base import Verdict
from gatekeeper.records.evidence import Evidence
from gatekeeper.records.measured import Artifact
from gatekeeper.stats.looks import LOOKS, look_alpha

FRAMEWORK = "repeated"
BASELINE_UNITS = 200  # some 4 ms an inference
UNITS = {"1.9": 105, "2.0": 100, "2.1": 95, "2.3": 87}  # true ratios 1.905, 2, 2.105, 2.299
ROWS, FEATURES = 16, 128  # some 18 us a unit


@dataclass(frozen=True)
class KnownWork:
    """Artifacts of known work in a folder, and races between them."""

    folder: Path

    @property
    def inputs(self) -> Path:
        """What every worker is fed."""
        return self.folder / "inputs.npz"

    def artifact(self, units: int) -> Path:
        """A model of so many units an inference."""
        path = self.folder / f"{units}.units"
        path.write_text(str(units))
        return path

    @contextmanager
    def warming(self, longest_ns: int) -> Iterator[None]:
        """Let every block begin with inferences of so long a time, three at most."""
        path = self.folder / "between_blocks_ns"  # which the plugin looks for
        path.write_text(str(longest_ns))
        yield
        path.unlink()

    def race(
        self, variants: Mapping[str, int], asked: Asked, *, units: int = BASELINE_UNITS, blocks: int = 8, seed: int = 0
    ) -> Race:
        """Race variants (id -> units) against a baseline of `units`, all together, as in a leg."""
        settings = Settings(
            scratch=self.folder,
            inputs=self.inputs,
            blocks=blocks,
            block_ms=10.0,
            timeout_s=120.0,
            memory_limit=2 * 10**9,
        )
        arms = [Arm(name, spec(self.artifact(n), FRAMEWORK)) for name, n in variants.items()]
        baseline = Arm(BASELINE, spec(self.artifact(units), FRAMEWORK))
        limits = Limits(looks=asked.looks, budget_s=600.0, seed=seed)
        asked.started = time.monotonic()
        found = race(baseline, arms, settings, limits, asked, Silent())
        assert not found.failures
        return found


@contextmanager
def known_work(folder: Path) -> Iterator[KnownWork]:
    """Install the plugin for every worker that starts meanwhile."""
    weights = np.random.default_rng(0).standard_normal((FEATURES, FEATURES)).astype(np.float32)
    value = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [ROWS, FEATURES]) for name in ("x", "y")]
    node = helper.make_node("MatMul", ["x", "w"], ["y"])
    graph = helper.make_graph([node], "unit", value[:1], value[1:], [numpy_helper.from_array(weights, "w")])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10), folder / "unit.onnx")
    work = KnownWork(folder)
    np.savez(work.inputs, x=np.ones((2, ROWS, FEATURES), np.float32))
    environment = install_framework(folder / "site", FRAMEWORK)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", environment["PYTHONPATH"], prepend=os.pathsep)
        yield work


@dataclass(frozen=True)
class Answer:
    """What the speedup gate last said of a variant, and when."""

    verdict: Verdict
    observed: float
    rounds: int
    seconds: float


@dataclass
class Asked:
    """Asks the speedup gate at every look, as a leg does, until each limit is decided; keeps the answers."""

    limits: Sequence[float] = (2.0,)
    looks: Sequence[int] = LOOKS
    level: Callable[[int, Sequence[int]], float] = lambda rounds, looks: look_alpha(rounds, looks[-1])
    answers: dict[tuple[str, float], Answer] = field(default_factory=dict)
    started: float = field(default_factory=time.monotonic)

    def __call__(self, name: str, found: Race) -> bool:
        """Nothing more to learn of this variant?"""
        baseline, variant, control = found.paired(name)
        evidence = Evidence(
            artifact=Artifact(path="", sha256="", bytes=0),
            baseline=baseline,
            variant=variant,
            control=control,
            alpha=self.level(len(variant), self.looks),
        )
        for limit in self.limits:
            if not self.decided(name, limit):
                said = speedup.judge(speedup.Config(min=limit), evidence)
                seconds = time.monotonic() - self.started
                medians = said.details["views"]["medians"][0]
                self.answers[name, limit] = Answer(said.verdict, medians, len(variant), seconds)
        return all(self.decided(name, limit) for limit in self.limits)

    def decided(self, name: str, limit: float) -> bool:
        """Whether the gate has passed or failed the variant."""
        answer = self.answers.get((name, limit))
        return answer is not None and answer.verdict in (Verdict.PASS, Verdict.FAIL)


def count(answers: Sequence[Answer], verdict: Verdict) -> int:
    """How many answers are this verdict."""
    return sum(a.verdict is verdict for a in answers)


def columns(answers: Sequence[Answer], *verdicts: Verdict) -> list[str]:
    """Of a table: how often each verdict was given; the mean rounds and seconds it took."""
    shares = [f"{count(answers, v)}/{len(answers)}" for v in verdicts]
    return [*shares, f"{fmean(a.rounds for a in answers):.1f}", f"{fmean(a.seconds for a in answers):.1f} s"]
