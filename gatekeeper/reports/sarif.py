"""report.sarif: what did not pass, on the lines of the pipeline file, for GitHub code scanning (SARIF 2.1.0).

https://docs.github.com/en/code-security/code-scanning/integrating-with-code-scanning/sarif-support-for-code-scanning
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import quote

import msgspec

from gatekeeper.gates._base import gate
from gatekeeper.gates._base import names as gate_names
from gatekeeper.records.base import Verdict
from gatekeeper.records.report import Report
from gatekeeper.reports._findings import Finding, findings
from gatekeeper.reports._place import place
from gatekeeper.reports._plain import plain
from gatekeeper.reports._sentences import waiver
from gatekeeper.reports._verdict import waived

FILE_NAME = "report.sarif"

MOST_RESULTS = 25_000
"""GitHub refuses a run with more. Of those it shows 5,000, the most severe; they come first here."""

LONGEST_TEXT = 1000
"""GitHub cuts descriptions at 1,024 characters."""

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_OWN_RULES = {
    "leg": "A whole leg, one target with one framework, could not be measured.",
    "variant": "A variant could not be made or measured.",
    "stage": "A stage of the pipeline file did not pass.",
    "target": "A target has no variant that passes.",
    "report": "Nothing was measured.",
    "agreement": "Without labels: the variant gives the answers of the baseline on at least this share of the examples.",
}


def render(report: Report) -> str:
    """One rule per gate, one result per gate that did not pass, and for each leg that could not be measured."""
    all_findings = findings(report)
    kept = all_findings[:MOST_RESULTS]
    rules = {name: index for index, name in enumerate(sorted({_rule_id(f) for f in kept}))}
    seen: Counter[str] = Counter()
    run = {
        "tool": {"driver": {"name": "gatekeeper", "rules": [_rule(name) for name in rules]} | _version(report)},
        "automationDetails": {"id": "gatekeeper/"},
        "invocations": [_invocation(report, len(all_findings) - len(kept))],
        "columnKind": "unicodeCodePoints",
        "results": [_result(report, finding, rules, seen) for finding in kept],
    }
    whole = msgspec.json.encode({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]})
    return msgspec.json.format(whole, indent=1).decode() + "\n"


def _result(report: Report, finding: Finding, rules: Mapping[str, int], seen: Counter[str]) -> dict[str, Any]:
    rule = _rule_id(finding)
    digest = hashlib.sha256(f"{rule}\n{finding.about}".encode("utf-8", "surrogatepass")).hexdigest()[:32]
    seen[digest] += 1
    file, line = place(finding.where, report.pipeline.path, report.pipeline.under)
    physical = {"artifactLocation": {"uri": quote(file, safe="/")}, "region": {"startLine": line or 1}}
    entry: dict[str, Any] = {
        "ruleId": rule,
        "ruleIndex": rules[rule],
        "level": finding.level,
        "message": {"text": _message(f"{finding.title}: {finding.message}")},
        "locations": [{"physicalLocation": physical}],
        # GitHub reads this key alone; without it, all the results on one line of the file would be one alert.
        "partialFingerprints": {"primaryLocationLineHash": f"{digest}:{seen[digest]}"},
    }
    if finding.gate and waived(finding.gate):  # readers of SARIF do not count what is suppressed
        said = waiver(finding.gate)[:LONGEST_TEXT]
        entry["suppressions"] = [{"kind": "external", "status": "accepted", "justification": said}]
    return entry


def _rule(name: str) -> dict[str, Any]:
    said = _OWN_RULES.get(name) or (gate(name).DESCRIPTION if name in gate_names() else f"The gate {name}.")
    help_ = f"{said} The limit is in the pipeline file; the report says what was measured and with which bounds."
    return {
        "id": name,
        "name": name,
        "shortDescription": {"text": said},
        "fullDescription": {"text": said},
        "help": {"text": help_},
        "defaultConfiguration": {"level": "error"},
    }


def _rule_id(finding: Finding) -> str:
    """A gate's name; of a stranger's, what can stand in an address."""
    return finding.kind if finding.gate is None else _in_address(finding.gate.gate)


@lru_cache(maxsize=256)
def _in_address(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", name)[:200].strip("-") or "gate"


def _invocation(report: Report, left_out: int) -> dict[str, Any]:
    """Successful if everything was measured that had to be, whatever was found."""
    errors = [leg for t in report.targets for leg in t.legs if leg.error]
    said = [f"{plain(leg.id)}: {plain(leg.error)}" for leg in errors[:100]]
    if len(errors) > len(said):
        said.append(f"{len(errors) - len(said)} more legs could not be measured")
    if left_out:
        said.append(f"{left_out} results of less weight were left out: GitHub takes {MOST_RESULTS}")
    done = not errors and report.verdict is not Verdict.ERROR
    return {
        "executionSuccessful": done,
        "toolExecutionNotifications": [{"level": "error", "message": {"text": _message(text)}} for text in said],
    }


def _version(report: Report) -> dict[str, str]:
    return {"version": plain(report.version, 50)} if report.version else {}


def _message(text: str) -> str:
    """A message in which nothing is a link or a placeholder (SARIF 2.1.0, 3.11.5 and 3.11.6)."""
    shown = re.sub(r"([\\\[\]])", r"\\\1", text[:LONGEST_TEXT])
    return shown.replace("{", "{{").replace("}", "}}")
