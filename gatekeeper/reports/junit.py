"""junit.xml for CI servers: a suite per variant, a case per gate."""

from __future__ import annotations

import re
from functools import lru_cache

from junit_xml import TestCase, TestSuite, to_xml_report_string

from gatekeeper.records.base import Verdict
from gatekeeper.records.gates import GateResult
from gatekeeper.records.measured import Environment
from gatekeeper.records.report import LegReport, Report, StageReport, TargetReport, VariantReport
from gatekeeper.records.tested import Check
from gatekeeper.reports._base import interval, plain, waived, waiver

FILE_NAME = "junit.xml"

_GATE_OF = {"load_tests": "overload"}
"""The gate on a kind of checks, where it is not called as they are."""

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def render(report: Report) -> str:
    """`<failure>` failed, `<error>` not measured or inconclusive, `<skipped>` skipped, waived or only a warning."""
    suites = [_suite(report, target, variant) for target in report.targets for variant in target.variants]
    suites += [_leg(leg) for target in report.targets for leg in target.legs if leg.error]
    if report.stages:
        suites.append(TestSuite("pipeline", [_stage(stage) for stage in report.stages], package="gatekeeper"))
    if not suites:
        case = TestCase("report", classname="pipeline")
        _outcome(case, report.verdict, "nothing was measured", blocking=True)
        suites = [TestSuite("pipeline", [case], package="gatekeeper")]
    return str(to_xml_report_string(suites, prettyprint=False)).replace(' disabled="0"', "") + "\n"


def _suite(report: Report, target: TargetReport, variant: VariantReport) -> TestSuite:
    own = next((leg for leg in target.legs if variant.id.startswith(leg.id + "/")), None)
    environment = own.environment if own else target.environment
    cases = [_case(variant.id, gate) for gate in variant.gates]
    cases += [_check(variant, check) for check in (variant.tested.checks if variant.tested else [])]
    if not cases:
        case = TestCase("variant", classname=_xml(variant.id))
        _outcome(case, variant.verdict, variant.reason or variant.verdict, blocking=True)
        cases = [case]
    return TestSuite(
        _xml(variant.id), cases, package="gatekeeper", properties=_properties(report, environment) | _leg_properties(own)
    )


def _case(variant: str, gate: GateResult) -> TestCase:
    case = TestCase(_xml(gate.gate), classname=_xml(variant), stdout=_xml(f"{interval(gate)} limit {gate.limit} {gate.where}"))
    if waived(gate):
        case.add_skipped_info(_xml(plain(f"{waiver(gate)}; {gate.reason}", 1000)))
    else:
        _outcome(case, gate.verdict, gate.reason, gate.blocking)
    return case


def _check(variant: VariantReport, check: Check) -> TestCase:
    """A test of the testing stage; it blocks where the gate on its kind does, and does not let it pass all the same."""
    gate = next((g for g in variant.gates if g.gate == _GATE_OF.get(check.kind, check.kind)), None)
    said = _xml(plain(check.reason)) if check.verdict is Verdict.PASS else None
    case = TestCase(_xml(check.name), classname=_xml(f"{variant.id}/{check.kind}"), elapsed_sec=check.seconds, stdout=said)
    _outcome(case, check.verdict, check.reason, blocking=gate is None or (gate.blocking and gate.verdict is not Verdict.PASS))
    return case


def _leg(leg: LegReport) -> TestSuite:
    case = TestCase("leg", classname=_xml(leg.id))
    _outcome(case, Verdict.ERROR, leg.error, blocking=True)
    return TestSuite(_xml(leg.id), [case], package="gatekeeper")


def _stage(stage: StageReport) -> TestCase:
    case = TestCase(_xml(stage.stage), classname="pipeline", stdout=_xml(stage.reason))
    _outcome(case, stage.verdict, stage.reason, blocking=True)
    return case


def _outcome(case: TestCase, verdict: Verdict, reason: str, blocking: bool) -> None:
    text = _xml(plain(reason)) or str(verdict)
    if verdict is Verdict.PASS:
        return
    if verdict is Verdict.SKIP or not blocking:
        case.add_skipped_info(text if verdict is Verdict.SKIP else f"warning, {verdict}: {text}")
    elif verdict is Verdict.FAIL:
        case.add_failure_info(text, failure_type="fail")
    else:
        case.add_error_info(text, error_type=str(verdict))


def _properties(report: Report, environment: Environment | None) -> dict[str, str]:
    found = {"model.sha256": report.model.sha256, "pipeline.sha256": report.pipeline.sha256, "gatekeeper": report.version}
    if environment:
        found |= {
            "cpu": environment.cpu,
            "isa": " ".join(environment.isa),
            "threads": str(environment.threads),
            "os": environment.os,
        }
        found |= {f"package.{name}": version for name, version in environment.packages.items()}
    return {_xml(name): _xml(text) for name, text in found.items()}


def _leg_properties(leg: LegReport | None) -> dict[str, str]:
    """What a reader should know of where it ran, such as a CPU that stood in for a GPU."""
    found = {"device": leg.device} if leg and leg.device else {}
    found |= {f"note.{i}": note for i, note in enumerate(leg.notes, 1)} if leg else {}
    return {_xml(name): _xml(plain(text)) for name, text in found.items()}


@lru_cache(maxsize=4096)
def _xml(text: str) -> str:
    """Only characters that XML 1.0 allows; the library lets some others through."""
    return _NOT_XML.sub("\ufffd", text)
