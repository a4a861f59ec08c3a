"""junit.xml for CI servers: a suite per variant, a case per gate and per check."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import msgspec

from gatekeeper.gates._base import counts_checks
from gatekeeper.ids import leg_of
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

_COUNTED = {"failures": "failure", "errors": "error", "skipped": "skipped", "tests": ""}
"""What a suite counts, and the outcome that is counted; empty: every case."""


class _Case(msgspec.Struct, frozen=True):
    """One case; `kind` is the element that tells its outcome, empty for a pass."""

    name: str
    of: str
    kind: str = ""
    type: str = ""
    message: str = ""
    said: str = ""
    seconds: float = 0.0


class _Suite(msgspec.Struct, frozen=True):
    """A suite: how many of its cases came to what, and the seconds that they took."""

    counted: dict[str, int]
    seconds: float
    xml: str


def render(report: Report) -> str:
    """`<failure>` failed, `<error>` not measured or inconclusive, `<skipped>` skipped, waived or only a warning."""
    suites = [suite for target in report.targets for suite in _target(report, target)]
    suites += [_suite(leg.id, [_leg(leg)]) for target in report.targets for leg in target.legs if leg.error]
    if report.stages or not suites:
        cases = [_stage(stage) for stage in report.stages]
        suites.append(_suite("pipeline", cases or [_case("report", "pipeline", report.verdict, "nothing was measured")]))
    totals = {key: str(sum(suite.counted[key] for suite in suites)) for key in _COUNTED if key != "skipped"}
    seconds = sum(suite.seconds for suite in suites)
    return element("testsuites", totals | _time(seconds), "".join([suite.xml for suite in suites])) + "\n"


def _suite(name: str, cases: list[_Case], properties: str = "", seconds: float = 0.0) -> _Suite:
    kinds = [case.kind for case in cases]
    counted = {key: kinds.count(kind) if kind else len(cases) for key, kind in _COUNTED.items()}
    attributes = {key: str(number) for key, number in counted.items()} | {"name": name, "package": "gatekeeper"} | _time(seconds)
    xml = element("testsuite", attributes, properties + "".join([_xml(case) for case in cases]))
    return _Suite(counted, seconds, xml)


def _time(seconds: float) -> dict[str, str]:
    return {"time": f"{seconds:.3f}"} if _known(seconds) else {}


def _known(seconds: float) -> bool:
    """Where it is not known how long something took, nothing is said of it."""
    return 0 < seconds < 1e9


def _xml(case: _Case) -> str:
    outcome = element(case.kind, {"type": case.type, "message": case.message}) if case.kind else ""
    said = f"<system-out>{escaped(case.said)}</system-out>" if case.said else ""
    time = f' time="{case.seconds:.3f}"' if _known(case.seconds) else ""
    return f'<testcase name="{escaped(case.name)}" classname="{escaped(case.of)}"{time}>{outcome}{said}</testcase>'


def _target(report: Report, target: TargetReport) -> Iterator[_Suite]:
    """A suite for each variant. A leg measures its variants in turns, so each has an equal share of the time."""
    legs = {leg.id: leg for leg in target.legs}
    measured = Counter(leg_of(v.id) for v in target.variants if v.performance)
    properties = {leg.id: _properties(report, leg.environment, leg) for leg in target.legs}
    for variant in target.variants:
        leg = legs.get(leg_of(variant.id))
        share = leg.measuring_s / measured[leg.id] if leg and variant.performance else 0.0
        about = properties[leg.id] if leg else _properties(report, target.environment, None)
        yield _suite(variant.id, _cases(variant), about, share + _tested(variant))


def _cases(variant: VariantReport) -> list[_Case]:
    cases = [_gate(variant.id, gate) for gate in variant.gates]
    cases += [_check(variant, check) for check in (variant.tested.checks if variant.tested else [])]
    return cases or [_case("variant", variant.id, variant.verdict, variant.reason or variant.verdict)]


def _tested(variant: VariantReport) -> float:
    """The seconds that its tests took."""
    tested = variant.tested
    return max(tested.seconds, sum(check.seconds for check in tested.checks)) if tested else 0.0


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


def _properties(report: Report, environment: Environment | None, leg: LegReport | None) -> str:
    """What a reader should know of where it ran, such as a CPU that stood in for a GPU."""
    known = {"model.sha256": report.model.sha256, "pipeline.sha256": report.pipeline.sha256, "gatekeeper": report.version}
    if e := environment:
        known |= {"cpu": e.cpu, "isa": " ".join(e.isa), "threads": str(e.threads), "os": e.os}
        known |= {f"package.{name}": version for name, version in e.packages.items()}
    if leg and leg.device:
        known["device"] = plain(leg.device)
    known |= {f"note.{i}": plain(note) for i, note in enumerate(leg.notes, 1)} if leg else {}
    said = [element("property", {"name": name, "value": text}) for name, text in known.items()]
    return element("properties", {}, "".join(said))
