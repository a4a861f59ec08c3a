"""The stage `compliance` through the command line: what is declared, what the files say, and reports that say otherwise."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest
from kit.certified import EVIDENCE, Place, certified
from kit.command import call
from kit.once import Once
from kit.support import write_project
from onnx import helper

CARD = """\
---
license: mit
---
# Nothing

## Uses

Tests.

## Limitations

[More Information Needed]
"""
DECLARED = """\
  stages: [model_validation, compliance, optimization]
  compliance:
    license: MIT OR Apache-2.0
    allowed_licenses: [Apache-2.0, CC-BY-4.0]
    datasets: {{training: {{license: CC-BY-NC-4.0}}{more}}}
    card: README.md
"""


def run(folder: Path, declared: str, *words: str) -> tuple[int, dict[str, Any], str]:
    write_project(folder, "fp16", "onnx_runtime", extra=declared, timed=False)
    model = onnx.load(folder / "model.onnx")
    helper.set_model_props(model, {"license": "GPL-3.0-only"})
    onnx.save(model, folder / "model.onnx")
    (folder / "README.md").write_text(CARD)
    done = call(["run", "pipeline.yaml", "--quiet", "--cache-dir", "cache", *words], folder, {})
    return done.returncode, json.loads((folder / "gatekeeper-report/report.json").read_text()), done.stdout + done.stderr


def stage(report: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = next(each for each in report["stages"] if each["stage"] == "compliance")
    return found


def test_all_that_does_not_hold_is_said_at_once_and_the_rest_still_runs(tmp_path: Path) -> None:
    code, report, said = run(tmp_path, DECLARED.format(more=""))
    assert code == 1, said
    line = stage(report)
    assert (line["verdict"], line["where"]) == ("fail", "pipeline.yaml:9")
    wanted = [
        "model.onnx says that its licence is 'GPL-3.0-only' (metadata_props license), and MIT OR Apache-2.0 is declared",
        "README.md says that its licence is 'mit' (README.md license), and MIT OR Apache-2.0 is declared",
        "the evaluation set has no licence: say it under `compliance.datasets.evaluation.license`",
        "the set 'training' has the licence CC-BY-NC-4.0, and allowed are Apache-2.0, CC-BY-4.0",
        "README.md does not say limitations (or under 'Limitations')",
    ]
    for words in wanted:
        assert words in line["reason"]
    assert report["targets"][0]["verdict"] == "pass"
    for name in ("report.md", "junit.xml"):
        shown = (tmp_path / "gatekeeper-report" / name).read_text().replace("\\", "")
        assert "CC-BY-NC-4.0, and allowed are" in shown, name


def test_a_policy_holds_with_its_licences_and_its_fields(tmp_path: Path) -> None:
    own = EVIDENCE.replace("Apache-2.0, CC-BY-4.0]", "Apache-2.0, CC-BY-4.0, GPL-3.0-only]").replace(
        "license: Apache-2.0\n", "license: GPL-3.0-only\n"
    )
    stricter = EVIDENCE + "    require: [intended_purpose, limitations, training_data]\n"
    write_project(tmp_path, "fp16", "onnx_runtime", extra=stricter, timed=False).rename(tmp_path / "policy.yaml")
    code, report, said = run(tmp_path, own, "--policy", "policy.yaml")
    assert code == 1, said
    reason = stage(report)["reason"]
    assert "the model has the licence GPL-3.0-only, and allowed are Apache-2.0, CC-BY-4.0" in reason
    assert "the pipeline file does not say training_data" in reason
    loosened = " ".join(report["pipeline"]["loosened"])
    assert "compliance.allowed_licenses: Apache-2.0, CC-BY-4.0 in the policy" in loosened
    assert "compliance.require: intended_purpose, limitations, training_data in the policy" in loosened


def test_without_the_section_nothing_is_judged_and_no_evidence_is_shown(tmp_path: Path) -> None:
    code, report, said = run(tmp_path, "")
    assert code == 0, said
    assert report["evidence"] == []
    assert "Annex IV" not in (tmp_path / "gatekeeper-report/report.md").read_text()


@pytest.mark.parametrize(
    ("declared", "said"),
    [
        (("license: Apache-2.0", "license: Apache-2"), "pipeline.yaml:11:14: 'Apache-2' is no licence of"),
        (("evaluation: CC-BY-4.0", "evaluation: CC-BY4"), "is no licence of SPDX's list; did you mean 'CC-BY-4.0'?"),
        (("license: Apache-2.0 OR MIT", "license: Apache-2.0 OR"), "'Apache-2.0 OR' is no SPDX expression"),
        (("[Apache-2.0, CC-BY-4.0]", "[Apache-2.0 OR CC-BY-4.0]"), "joins several licences. List each by itself"),
        (("compliance, ", ""), "the stage 'compliance' is not among `stages`, so nothing of this is judged"),
        (("    license: Apache-2.0\n", ""), "the stage 'compliance' needs the model's licence"),
        (("    provider:", "    card: NOWHERE.md\n    provider:"), "there is no file NOWHERE.md"),
        (("    provider:", "    provided:"), "unknown key 'provided'; did you mean 'provider'?"),
        (("    provider:", "    require: [purpose]\n    provider:"), "compliance.require[0]"),
    ],
)  # fmt: skip
def test_a_file_that_declares_what_cannot_be(tmp_path: Path, declared: tuple[str, str], said: str) -> None:
    assert declared[0] in EVIDENCE
    write_project(tmp_path, "int8_dynamic", "onnx_runtime", extra=EVIDENCE.replace(*declared, 1), timed=False)
    done = call(["validate", "pipeline.yaml"], tmp_path, {})
    assert done.returncode == 2, done.stdout
    assert said in done.stdout + done.stderr


Change = Callable[[dict[str, Any]], Any]


def judged(place: Place) -> subprocess.CompletedProcess[str]:
    return call(["report", "out/report.json"], place.folder, {})


@pytest.fixture
def place(once: Once, tmp_path: Path) -> Place:
    return certified(once, tmp_path)


WITH_FILE: dict[str, tuple[Change, str]] = {
    "another licence": (lambda c: c.update(license="MIT", allowed=["MIT", "CC-BY-4.0", "Apache-2.0"]), "license, allowed is not"),
    "any licence": (lambda c: c.update(allowed=[]), "the report's allowed is not what pipeline.yaml declares"),
    "another set": (lambda c: c["datasets"].pop("training"), "the report's datasets is not"),
    "nothing required": (lambda c: c.update(required=[]), "the report's required is not"),
    "other words": (lambda c: c["fields"].update(limitations="It has its bounds."), "the report's model card is not"),
    "another card": (lambda c: c.update(card="README.md"), "the report's card is not"),
}
ALONE: dict[str, tuple[Change, str]] = {
    "a licence that is not allowed": (lambda c: c.update(license="GPL-3.0-only"), "allowed are Apache-2.0, CC-BY-4.0"),
    "a licence that is none": (lambda c: c.update(license="free"), "'free' is no licence of SPDX's list"),
    "a field less": (lambda c: c["fields"].pop("limitations"), "does not say limitations"),
    "a field left open": (lambda c: c["fields"].update(limitations="TODO"), "does not say limitations"),
    "a set without a licence": (lambda c: c.update(datasets={}, read=[]), "the evaluation set has no licence"),
    "a model that says otherwise": (lambda c: c["models"][0]["says"].update(x="GPL-3.0-only"), "says that its licence is"),
    "no models": (lambda c: c.update(models=[]), "holds nothing of what it judged"),
}


def test_a_report_as_it_was_written_passes(place: Place) -> None:
    assert judged(place).returncode == 0
    place.change_report(lambda report: report["pipeline"].update(sha256="0" * 64))
    assert judged(place).returncode == 0


@pytest.mark.parametrize("way", WITH_FILE)
def test_a_report_that_declares_what_its_file_does_not(place: Place, way: str) -> None:
    change, said = WITH_FILE[way]
    place.change_report(lambda report: change(stage(report)["compliance"]))
    done = judged(place)
    assert done.returncode == 4, done.stdout
    assert said in " ".join(done.stdout.split())


@pytest.mark.parametrize("way", ALONE)
def test_a_report_whose_own_record_does_not_hold(place: Place, way: str) -> None:
    """Its file is not at hand, and all of its verdicts say pass."""
    change, said = ALONE[way]
    place.change_report(lambda report: (change(stage(report)["compliance"]), report["pipeline"].update(sha256="0" * 64)))
    done = judged(place)
    assert done.returncode == (4 if way == "no models" else 1), done.stdout
    assert said in " ".join(done.stdout.split())


@pytest.mark.parametrize("at_hand", [True, False])
def test_a_report_without_the_record(place: Place, at_hand: bool) -> None:
    place.change_report(
        lambda report: (stage(report).update(compliance=None), at_hand or report["pipeline"].update(sha256="0" * 64))
    )
    assert judged(place).returncode == 4
    place.change_report(lambda report: report["stages"].remove(stage(report)))
    assert judged(place).returncode == (4 if at_hand else 0)


def test_a_card_that_changed_since_is_another(place: Place) -> None:
    (place.folder / "README.md").write_text("## Limitations\nMany.\n")
    file = place.folder / "pipeline.yaml"
    file.write_text(file.read_text().replace("    limitations: It has seen no real example.\n", "    card: README.md\n"))
    done = call(["run", "pipeline.yaml", "--output", "out"], place.folder, {})
    assert done.returncode == 0, done.stdout + done.stderr
    assert judged(place).returncode == 0
    (place.folder / "README.md").write_text("## Limitations\nNone.\n")
    done = judged(place)
    assert done.returncode == 4
    assert "README.md is not the card that was read" in " ".join(done.stdout.split())
