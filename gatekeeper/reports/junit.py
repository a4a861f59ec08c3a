"""junit.xml for CI servers: a suite per variant, a case per gate and per check."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from typing import Any
from xml.etree import ElementTree

import msgspec
from junit_xml import TestCase, TestSuite

from gatekeeper.causes.short import shorts
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

_TOTALS = ("failures", "errors", "tests")
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def render(report: Report) -> str:
    """`<failure>` failed, `<error>` not measured or inconclusive, `<skipped>` skipped, waived or only a warning."""
    suites = [suite for target in report.targets for suite in _target(report, target)]
    suites += [_suite(leg.id, [_leg(leg)]) for target in report.targets for leg in target.legs if leg.error]
    if report.stages or not suites:
        cases = [_stage(stage) for stage in report.stages]
        suites.append(_suite("pipeline", cases or [_case("report", "pipeline", report.verdict, "nothing was measured")]))
    root = ElementTree.Element("testsuites", {key: str(sum(int(suite.xml.get(key)) for suite in suites)) for key in _TOTALS})
    root.attrib |= _time(sum(suite.seconds for suite in suites))
    root.extend([suite.xml for suite in suites])
    # Properties are the same for every suite of a leg: written once for it, and put where each has its place for them.
    parts = ElementTree.tostring(root, encoding="unicode").split(_PLACE)
    after = [suite.properties + part for suite, part in zip(suites, parts[1:], strict=True)]
    return "".join([parts[0], *after]) + "\n"


class _Suite(msgspec.Struct, frozen=True):
    """The library's element with a place for properties, and these; the seconds that its cases took."""

    xml: Any
    properties: str
    seconds: float


_PLACE = "<properties />"


def _suite(name: str, cases: list[TestCase], properties: str = "", seconds: float = 0.0) -> _Suite:
    suite = TestSuite(_xml(name), cases, package="gatekeeper").build_xml_doc()
    for unknown in ("disabled", "time"):
        suite.attrib.pop(unknown, None)
    suite.attrib |= _time(seconds)
    suite.insert(0, ElementTree.Element("properties"))
    return _Suite(suite, properties, seconds)


def _time(seconds: float) -> dict[str, str]:
    return {"time": f"{seconds:.3f}"} if _known(seconds) else {}


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
        yield _suite(variant.id, _cases(report, target, variant), about, share + _tested(variant))


def _cases(report: Report, target: TargetReport, variant: VariantReport) -> list[TestCase]:
    cases = [_gate(variant.id, gate, shorts(report, target, [variant], gate)) for gate in variant.gates]
    cases += [_check(variant, check) for check in (variant.tested.checks if variant.tested else [])]
    return cases or [_case("variant", variant.id, variant.verdict, variant.reason or variant.verdict)]


def _tested(variant: VariantReport) -> float:
    """The seconds that its tests took."""
    tested = variant.tested
    return max(tested.seconds, sum(check.seconds for check in tested.checks)) if tested else 0.0


def _gate(variant: str, gate: GateResult, why: str) -> TestCase:
    said = f"{interval(gate)} limit {gate.limit} {gate.where}"
    if waived(gate):
        case = _made(gate.gate, variant, said)
        case.add_skipped_info(_xml(plain(f"{waiver(gate)}; {gate.reason}", 1000)))
        return case
    reason = f"{plain(gate.reason)} ({plain(why, 600)})" if why else gate.reason
    return _case(gate.gate, variant, gate.verdict, reason, gate.blocking, said)


def _check(variant: VariantReport, check: Check) -> TestCase:
    """A test of the testing stage; it blocks where the gate on its kind does, and does not let it pass all the same."""
    gate = next((g for g in variant.gates if counts_checks(g.gate, check.kind)), None)
    blocking = gate is None or (gate.blocking and gate.verdict is not Verdict.PASS)
    said = plain(check.reason) if check.verdict is Verdict.PASS else ""
    return _case(check.name, f"{variant.id}/{check.kind}", check.verdict, check.reason, blocking, said, check.seconds)


def _leg(leg: LegReport) -> TestCase:
    return _case("leg", leg.id, Verdict.ERROR, leg.error)


def _stage(stage: StageReport) -> TestCase:
    return _case(stage.stage, "pipeline", stage.verdict, stage.reason, said=stage.reason)


def _case(
    name: str, of: str, verdict: Verdict, reason: str, blocking: bool = True, said: str = "", seconds: float = 0.0
) -> TestCase:
    case, text = _made(name, of, said, seconds), _xml(plain(reason)) or str(verdict)
    if verdict is Verdict.PASS:
        return case
    if verdict is Verdict.SKIP or not blocking:
        case.add_skipped_info(text if verdict is Verdict.SKIP else f"warning, {verdict}: {text}")
    elif verdict is Verdict.FAIL:
        case.add_failure_info(text, failure_type="fail")
    else:
        case.add_error_info(text, error_type=str(verdict))
    return case


def _made(name: str, of: str, said: str = "", seconds: float = 0.0) -> TestCase:
    return TestCase(_xml(name), classname=_xml(of), stdout=_xml(said) or None, elapsed_sec=seconds if _known(seconds) else None)


def _properties(report: Report, environment: Environment | None, leg: LegReport | None) -> str:
    """What a reader should know of where it ran, such as a CPU that stood in for a GPU."""
    known = {"model.sha256": report.model.sha256, "pipeline.sha256": report.pipeline.sha256, "gatekeeper": report.version}
    if e := environment:
        known |= {"cpu": e.cpu, "isa": " ".join(e.isa), "threads": str(e.threads), "os": e.os}
        known |= {f"package.{name}": version for name, version in e.packages.items()}
    if leg and leg.device:
        known["device"] = plain(leg.device)
    known |= {f"note.{i}": plain(note) for i, note in enumerate(leg.notes, 1)} if leg else {}
    properties = ElementTree.Element("properties")
    for name, text in known.items():
        ElementTree.SubElement(properties, "property", {"name": _xml(name), "value": _xml(text)})
    return ElementTree.tostring(properties, encoding="unicode")


@lru_cache(maxsize=4096)
def _xml(text: str) -> str:
    """Only characters that XML 1.0 allows; the library lets some others through."""
    return text if text.isprintable() else _NOT_XML.sub("\ufffd", text)
