"""junit.xml for CI servers: a suite per variant, a case per gate and per check."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from gatekeeper.gates._base import counts_checks
from gatekeeper.records.base import Verdict
from gatekeeper.records.gates import GateResult
from gatekeeper.records.measured import Environment
from gatekeeper.records.report import LegReport, Report, StageReport, TargetReport, VariantReport
from gatekeeper.records.tested import Check
from gatekeeper.reports._numbers import interval
from gatekeeper.reports._plain import plain
from gatekeeper.reports._sentences import waiver
from gatekeeper.reports._verdict import waived
from gatekeeper.reports._xml import element, escaped

FILE_NAME = "junit.xml"

_TOTALS = ("failures", "errors", "skipped", "tests")


@dataclass(frozen=True)
class _Case:
    """One case; `kind` is the element that tells its outcome, empty for a pass."""

    name: str
    of: str
    kind: str = ""
    type: str = ""
    message: str = ""
    said: str = ""
    seconds: float = 0.0


def render(report: Report) -> str:
    """`<failure>` failed, `<error>` not measured or inconclusive, `<skipped>` skipped, waived or only a warning."""
    shared = _common(report)
    suites = [_variant(target, variant, shared) for target in report.targets for variant in target.variants]
    suites += [_suite(leg.id, [_leg(leg)]) for target in report.targets for leg in target.legs if leg.error]
    if report.stages or not suites:
        cases = [_stage(stage) for stage in report.stages]
        suites.append(_suite("pipeline", cases or [_case("report", "pipeline", report.verdict, "nothing was measured")]))
    total: Counter[str] = Counter()
    for counted, _, _ in suites:
        total += counted
    seconds = sum(took for _, took, _ in suites)
    attributes = {key: str(total[key]) for key in _TOTALS if key != "skipped"} | _time(seconds)
    return element("testsuites", attributes, "".join([text for _, _, text in suites])) + "\n"


_Suite = tuple[Counter[str], float, str]
"""How many cases came to what, the seconds that they took, and the XML."""


def _suite(name: str, cases: list[_Case], properties: str = "", seconds: float = 0.0) -> _Suite:
    kinds = Counter(case.kind for case in cases)
    counted = Counter(failures=kinds["failure"], errors=kinds["error"], skipped=kinds["skipped"], tests=len(cases))
    attributes = {key: str(counted[key]) for key in _TOTALS} | {"name": name, "package": "gatekeeper"} | _time(seconds)
    return counted, seconds, element("testsuite", attributes, properties + "".join([_xml(case) for case in cases]))


def _time(seconds: float) -> dict[str, str]:
    """Where it is not known how long something took, nothing is said of it."""
    return {"time": f"{seconds:.3f}"} if 0 < seconds < 1e9 else {}


def _xml(case: _Case) -> str:
    outcome = element(case.kind, {"type": case.type, "message": case.message}) if case.kind else ""
    said = f"<system-out>{escaped(case.said)}</system-out>" if case.said else ""
    return element("testcase", {"name": case.name, "classname": case.of} | _time(case.seconds), outcome + said)


def _variant(target: TargetReport, variant: VariantReport, common: dict[str, str]) -> _Suite:
    leg = target.leg_of(variant)
    cases = [_gate(variant.id, gate) for gate in variant.gates]
    cases += [_check(variant, check) for check in (variant.tested.checks if variant.tested else [])]
    if not cases:
        cases = [_case("variant", variant.id, variant.verdict, variant.reason or variant.verdict)]
    properties = common | _environment(leg.environment if leg else target.environment) | _of_leg(leg)
    said = "".join([element("property", {"name": name, "value": text}) for name, text in properties.items()])
    return _suite(variant.id, cases, f"<properties>{said}</properties>", _seconds(target, variant, leg))


def _seconds(target: TargetReport, variant: VariantReport, leg: LegReport | None) -> float:
    """What measuring and testing a variant took. A leg measures its variants in turns, so each has an equal share of that."""
    tested = variant.tested
    took = max(tested.seconds, sum(check.seconds for check in tested.checks)) if tested else 0.0
    if leg and variant.performance:
        took += leg.measuring_s / sum(v.performance is not None and target.leg_of(v) is leg for v in target.variants)
    return took


def _gate(variant: str, gate: GateResult) -> _Case:
    said = f"{interval(gate)} limit {gate.limit} {gate.where}"
    if waived(gate):
        return _Case(gate.gate, variant, "skipped", "skipped", plain(f"{waiver(gate)}; {gate.reason}", 1000), said)
    return _case(gate.gate, variant, gate.verdict, gate.reason, gate.blocking, said)


def _check(variant: VariantReport, check: Check) -> _Case:
    """A test of the testing stage; it blocks where the gate on its kind does, and does not let it pass all the same."""
    gate = next((g for g in variant.gates if counts_checks(g.gate, check.kind)), None)
    blocking = gate is None or (gate.blocking and gate.verdict is not Verdict.PASS)
    said = plain(check.reason) if check.verdict is Verdict.PASS else ""
    return _case(check.name, f"{variant.id}/{check.kind}", check.verdict, check.reason, blocking, said, check.seconds)


def _leg(leg: LegReport) -> _Case:
    return _case("leg", leg.id, Verdict.ERROR, leg.error)


def _stage(stage: StageReport) -> _Case:
    return _case(stage.stage, "pipeline", stage.verdict, stage.reason, said=stage.reason)


def _case(
    name: str, of: str, verdict: Verdict, reason: str, blocking: bool = True, said: str = "", seconds: float = 0.0
) -> _Case:
    text = plain(reason) or str(verdict)
    if verdict is Verdict.PASS:
        return _Case(name, of, said=said, seconds=seconds)
    if verdict is Verdict.SKIP or not blocking:
        message = text if verdict is Verdict.SKIP else f"warning, {verdict}: {text}"
        return _Case(name, of, "skipped", "skipped", message, said, seconds)
    kind = "failure" if verdict is Verdict.FAIL else "error"
    return _Case(name, of, kind, str(verdict), text, said, seconds)


def _common(report: Report) -> dict[str, str]:
    return {"model.sha256": report.model.sha256, "pipeline.sha256": report.pipeline.sha256, "gatekeeper": report.version}


def _environment(environment: Environment | None) -> dict[str, str]:
    if environment is None:
        return {}
    e = environment
    packages = {f"package.{name}": version for name, version in e.packages.items()}
    return {"cpu": e.cpu, "isa": " ".join(e.isa), "threads": str(e.threads), "os": e.os} | packages


def _of_leg(leg: LegReport | None) -> dict[str, str]:
    """What a reader should know of where it ran, such as a CPU that stood in for a GPU."""
    if leg is None:
        return {}
    device = {"device": plain(leg.device)} if leg.device else {}
    return device | {f"note.{i}": plain(note) for i, note in enumerate(leg.notes, 1)}
