"""From gates to verdicts: of a variant, of the variants of a target, of the targets of a report.

What is certain wins. A variant must pass every gate, so one certain failure decides it; a target with
`require: best` needs one passing variant, so one certain pass decides it.
"""

from __future__ import annotations

from collections.abc import Iterable

from gatekeeper.errors import ExitCode
from gatekeeper.records.base import Verdict
from gatekeeper.records.gates import GateResult
from gatekeeper.records.report import LegReport, Report, VariantReport

_AND = (Verdict.FAIL, Verdict.ERROR, Verdict.INCONCLUSIVE)
_OR = (Verdict.PASS, Verdict.ERROR, Verdict.INCONCLUSIVE, Verdict.FAIL)


def all_of(verdicts: Iterable[Verdict]) -> Verdict:
    """Every part must pass. Nothing at all is not a pass; neither is a part that was skipped."""
    parts = list(verdicts)
    for verdict in _AND:
        if verdict in parts:
            return verdict
    return Verdict.PASS if parts and all(v is Verdict.PASS for v in parts) else Verdict.ERROR


def any_of(verdicts: Iterable[Verdict]) -> Verdict:
    """One part must pass."""
    parts = list(verdicts)
    return next((v for v in _OR if v in parts), Verdict.ERROR)


def variant_verdict(gates: Iterable[GateResult]) -> Verdict:
    """Gates that only warn, or are disabled, do not count; a variant without any that count is not a pass.

    Where a gate that counts was skipped and nothing is worse, the variant is neither: it is skipped.
    """
    verdicts = [g.verdict for g in gates if g.blocking]
    judged = all_of(v for v in verdicts if v is not Verdict.SKIP)
    return Verdict.SKIP if Verdict.SKIP in verdicts and judged is Verdict.PASS else judged


def variant_reason(gates: Iterable[GateResult], verdict: Verdict) -> str:
    """What the gates that decide a verdict say; those that say the same, together."""
    said: dict[str, list[str]] = {}
    for gate in gates:
        if gate.blocking and gate.verdict is verdict:
            said.setdefault(gate.reason, []).append(gate.gate)
    return "; ".join(f"{', '.join(names)}: {reason}" for reason, names in said.items())


def passing(variants: Iterable[VariantReport]) -> list[VariantReport]:
    """Those that may be chosen at all."""
    return [v for v in variants if v.verdict is Verdict.PASS]


def best_first(variants: Iterable[VariantReport], one_machine: bool = True) -> list[VariantReport]:
    """Variants, the best first: the fastest, and the smaller file where that is equal or unknown.

    A speedup is over the baseline of its own framework: 4x of a slow baseline may be slower than 2x of a fast one. So
    where all were measured on one kind of machine the lowest median latency is the fastest (of text models, time per
    token). Latencies of differing machines do not compare; there it is the largest lower bound of the speedup.
    """
    candidates = list(variants)
    measured = one_machine and all(v.performance for v in candidates)
    return sorted(candidates, key=_by_latency if measured else _by_speedup)


def _by_latency(variant: VariantReport) -> tuple[float, int, str]:
    return (variant.performance.p50_ns if variant.performance else 0.0), _size(variant), variant.id


def _by_speedup(variant: VariantReport) -> tuple[float, int, str]:
    speed = next((g.lower for g in variant.gates if g.gate == "speedup" and g.lower is not None), 0.0)
    return -speed, _size(variant), variant.id


def _size(variant: VariantReport) -> int:
    return variant.artifact.bytes if variant.artifact else 0


def target_verdict(require: str, variants: Iterable[VariantReport], legs: Iterable[LegReport], shown: bool = True) -> Verdict:
    """Verdict of a target; variants that do not apply do not count, a leg that could not run blocks.

    `shown` is whether one of those that pass is shown to, among all of them. Where every variant must pass, a wrong pass takes
    luck with the very one that should not, and there is nothing to correct for.
    """
    verdicts = [v.verdict for v in variants if v.verdict is not Verdict.SKIP]
    if require == "best" and not shown:
        verdicts = [Verdict.INCONCLUSIVE if v is Verdict.PASS else v for v in verdicts]
    judged = all_of(verdicts) if require == "all" else any_of(verdicts)
    return all_of([judged, Verdict.ERROR]) if any(leg.error for leg in legs) else judged


def exit_code(report: Report) -> ExitCode:
    """What the report tells the shell."""
    if report.verdict is Verdict.INCONCLUSIVE and report.pipeline.on_inconclusive == "warn":
        return ExitCode.PASS
    return {
        Verdict.PASS: ExitCode.PASS,
        Verdict.FAIL: ExitCode.FAILED,
        Verdict.INCONCLUSIVE: ExitCode.INCONCLUSIVE,
    }.get(report.verdict, ExitCode.NOT_MEASURED)
