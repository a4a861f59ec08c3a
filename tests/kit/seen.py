"""Variants of which it is known what they were measured to be, for whoever looks for causes."""

from __future__ import annotations

from typing import Any

from kit.support import round_data

from gatekeeper.causes.seen import Seen
from gatekeeper.measure.race import performance
from gatekeeper.records.base import Verdict
from gatekeeper.records.explained import Layer, Operator, Profile, Ranking, Traffic
from gatekeeper.records.gates import GateResult
from gatekeeper.records.measured import Artifact, Conditions, Environment
from gatekeeper.records.report import LegReport, VariantReport


def variant(framework: str = "onnx_runtime", technique: str = "int8_static", failed: str = "", **changes: Any) -> VariantReport:
    """One whose rounds take a millisecond, with 90 % of its thread's time; `failed` is the gate that it fails."""
    rounds = [round_data(i, 1e6, peak_bytes=5_000_000, **changes) for i in range(4)]
    return VariantReport(
        id=f"here/{framework}/{technique}",
        framework=framework,
        technique=technique,
        verdict=Verdict.FAIL if failed else Verdict.PASS,
        artifact=Artifact(path="artifacts/x.onnx", sha256="0" * 64, bytes=1_000_000),
        performance=performance(rounds, 1, "pss"),
        gates=[GateResult(gate=failed, verdict=Verdict.FAIL, observed=0.5, limit=1.0, reason="it is 0.5")] if failed else [],
    )


def leg(framework: str = "onnx_runtime", **changes: Any) -> LegReport:
    """Its leg, on two threads of a quiet machine; `changes` are those of the baseline's rounds."""
    machine = Environment(cpu="a", isa=["avx2"], threads=2, packages={"onnxruntime": "1.0"}, cores=2, os="Linux")
    quiet = Conditions(other_cpu=0.01, steal=0.0, throttle_events=0, frequency_mhz=None)
    own = performance([round_data(i, 2e6, **changes) for i in range(4)], 1, "pss")
    return LegReport(
        id=f"here/{framework}", framework=framework, environment=machine, baseline=own, conditions=quiet, device="cpu"
    )


def profile(inside: float | None = 0.9, **shares: float) -> Profile:
    """Shares of operators' time by kind."""
    operators = [Operator(operator=name, share=share, nodes=1) for name, share in shares.items()]
    return Profile(profiler="onnx_runtime", runs=100, operators=operators, inside=inside)


def traffic(used: float, spread: float = 0.05, least: bool = False) -> Traffic:
    """So much of what a machine moves, whose rounds differ by `spread`."""
    return Traffic(
        bytes_per_inference=1e6,
        least=least,
        rate=used * 1e10,
        ceiling=1e10,
        ceiling_of="triad",
        rounds=[1e10, (1 - spread) * 1e10],
        spread=spread,
    )


def ranking(*divergences: float, together: float = 1.0) -> Ranking:
    """Layers by how far each alone moves the answers."""
    layers = [Layer(output=f"t{i}", operator="Conv", weights=9, divergence=each) for i, each in enumerate(divergences)]
    return Ranking(layers=layers, together=together, examples=64)


def rich(framework: str = "onnx_runtime", technique: str = "int8_static", failed: str = "", **known: Any) -> Seen:
    """Everything is known of it."""
    return Seen(variant(framework, technique, failed), leg(framework), **known)
