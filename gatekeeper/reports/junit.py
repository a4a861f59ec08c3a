"""junit.xml for CI servers: a suite per variant, a case per gate and per check."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import lru_cache
from xml.sax.saxutils import escape

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

FILE_NAME = "junit.xml"

_QUOTED = {'"': "&quot;", "\r": "&#13;", "\n": "&#10;", "\t": "&#09;"}
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def render(report: Report) -> str:
    """`<failure>` failed, `<error>` not measured or inconclusive, `<skipped>` skipped, waived or only a warning."""
    suites = [suite for target in report.targets for suite in _target(report, target)]
    suites += [_suite(leg.id, [_leg(leg)]) for target in report.targets for leg in target.legs if leg.error]
    if report.stages or not suites:
        cases = [_stage(stage) for stage in report.stages]
        suites.append(_suite("pipeline", cases or [_case("report", "pipeline", report.verdict, "nothing was measured")]))
    totals = {key: sum(getattr(suite, key) for suite in suites) for key in ("failures", "errors", "tests")}
    head = "".join(f' {key}="{value}"' for key, value in totals.items()) + _time(sum(suite.seconds for suite in suites))
    return "".join([f"<testsuites{head}>", *(suite.xml for suite in suites), "</testsuites>\n"])


class _Case(msgspec.Struct, frozen=True):
    """A test case as it is written; `outcome` is the element in it that says it did not pass, `failure`, `error`, `skipped`."""

    xml: str
    outcome: str = ""


class _Suite(msgspec.Struct, frozen=True):
    """A suite as it is written, what it counts, and the seconds that its cases took."""

    xml: str
    tests: int
    errors: int
    failures: int
    seconds: float


def _suite(name: str, cases: Sequence[_Case], properties: str = "", seconds: float = 0.0) -> _Suite:
    """Written here: of a thousand legs a tree of elements would take longer than all else that a merge does."""
    counts = Counter(case.outcome for case in cases)
    errors, failures, skipped = counts["error"], counts["failure"], counts["skipped"]
    head = (
        f'<testsuite errors="{errors}" failures="{failures}" name="{_quoted(name)}" skipped="{skipped}" tests="{len(cases)}" '
        f'package="gatekeeper"{_time(seconds)}>'
    )
    xml = "".join([head, properties, *(case.xml for case in cases), "</testsuite>"])
    return _Suite(xml, len(cases), errors, failures, seconds)


def _time(seconds: float, digits: int = 3) -> str:
    return f' time="{seconds:.{digits}f}"' if _known(seconds) else ""


def _known(seconds: float) -> bool:
    """Where it is not known how long something took, nothing is said of it."""
    return 0 < seconds < 1e9


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
        return _made(gate.gate, variant, said, outcome="skipped", text=plain(f"{waiver(gate)}; {gate.reason}", 1000))
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
    if verdict is Verdict.PASS:
        return _made(name, of, said, seconds)
    text = plain(reason) or str(verdict)
    if verdict is Verdict.SKIP or not blocking:
        text = text if verdict is Verdict.SKIP else f"warning, {verdict}: {text}"
        return _made(name, of, said, seconds, "skipped", text)
    failed = verdict is Verdict.FAIL
    return _made(name, of, said, seconds, "failure" if failed else "error", text, "fail" if failed else str(verdict))


def _made(
    name: str, of: str, said: str = "", seconds: float = 0.0, outcome: str = "", text: str = "", kind: str = "skipped"
) -> _Case:
    inside = f'<{outcome} type="{kind}" message="{_quoted(text)}" />' if outcome else ""
    if said:
        inside += f"<system-out>{escape(_xml(said))}</system-out>"
    head = f'<testcase name="{_quoted(name)}"{_time(seconds, 6)} classname="{_quoted(of)}"'
    return _Case(f"{head}>{inside}</testcase>" if inside else f"{head} />", outcome)


def _properties(report: Report, environment: Environment | None, leg: LegReport | None) -> str:
    """What a reader should know of where it ran, such as a CPU that stood in for a GPU."""
    known = {"model.sha256": report.model.sha256, "pipeline.sha256": report.pipeline.sha256, "gatekeeper": report.version}
    if e := environment:
        known |= {"cpu": e.cpu, "isa": " ".join(e.isa), "threads": str(e.threads), "os": e.os}
        known |= {f"package.{name}": version for name, version in e.packages.items()}
    if leg and leg.device:
        known["device"] = plain(leg.device)
    known |= {f"note.{i}": plain(note) for i, note in enumerate(leg.notes, 1)} if leg else {}
    lines = [f'<property name="{_quoted(name)}" value="{_quoted(text)}" />' for name, text in known.items()]
    return f"<properties>{''.join(lines)}</properties>"


@lru_cache(maxsize=4096)
def _xml(text: str) -> str:
    """Only characters that XML 1.0 allows."""
    return text if text.isprintable() else _NOT_XML.sub("\ufffd", text)


@lru_cache(maxsize=4096)
def _quoted(text: str) -> str:
    """For the value of an attribute."""
    return escape(_xml(text), _QUOTED)
