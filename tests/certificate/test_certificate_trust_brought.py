"""What a release brings along is not trusted: no trust file, no key, and no stages but those that ran."""

from __future__ import annotations

import shutil
from hashlib import sha256
from typing import Any

import pytest
from kit.certified import TRUST, Place, refused


@pytest.mark.parametrize("where", ["beside the certificate", "its key", "in the model's folder"])
def test_a_release_in_a_folder_of_its_own_brings_no_trust(place: Place, where: str) -> None:
    """What the release's signer signed, believed by a file that came along."""
    trust, model = place.folder / "out/trust.yaml", place.model
    if where == "its key":
        trust = place.trust
        shutil.copy2(place.folder / "release.pub", place.folder / "out/release.pub")
        trust.write_text("signers: [{name: releases, key: out/release.pub}]\n")
    elif where == "beside the certificate":
        trust.write_text("signers: [{name: releases, key: ../release.pub}]\n")
    else:
        model = place.folder
        trust = place.trust
    done = place.call("verify", place.certificate, "--model", model, "--trust", trust)
    refused(done, "it could bring its own trust", code=2)


def test_the_documents_example_has_all_in_the_working_folder(place: Place) -> None:
    for file in (place.certificate, place.report, place.bom, place.model):
        shutil.copy2(file, place.folder / file.name)
    done = place.call("verify", "certificate.json", "--model", place.model.name, "--trust", "trust.yaml")
    assert done.returncode == 0, done.stderr


def test_stages_can_be_required(place: Place) -> None:
    place.trust.write_text(TRUST + "require: {stages: [model_validation, compliance]}\n")
    done = place.verify()
    assert done.returncode == 0, done.stderr
    place.trust.write_text(TRUST + "require: {stages: [monitoring, compliance]}\n")
    refused(place.verify(), "the stage monitoring is required here, and did not run: model_validation, compliance")
    place.trust.write_text(TRUST + "require: {stages: [complaince]}\n")
    refused(place.verify(), "there is no stage 'complaince'; did you mean 'compliance'?", code=2)


def test_a_certificate_states_the_stages_of_its_report(place: Place) -> None:
    payload = place.payload()
    ran = ("model_validation", "compliance", "optimization")
    assert payload["predicate"]["stages"] == [{"stage": name, "verdict": "pass"} for name in ran]
    payload["predicate"]["stages"].append({"stage": "monitoring", "verdict": "pass"})
    place.sign(payload)
    refused(place.verify(), "the certificate differs from its report in stages")


def test_what_was_chosen_is_certified_with_its_reason(place: Place) -> None:
    payload = place.payload()
    assert "the only one that passes" in payload["predicate"]["chosen"]
    payload["predicate"]["chosen"] = "it is the best of all"
    place.sign(payload)
    refused(place.verify(), "the certificate differs from its report in chosen")


def test_a_certificate_of_an_earlier_version_names_no_stages_and_asked_not_what_held_code(place: Place) -> None:
    """It is believed as it was signed; the stages that are required here are read in its report."""
    ran = {"loader data:load": {"sha256": "1" * 64, "covers": ["data.py"]}}

    def earlier(report: dict[str, Any]) -> None:
        report["data"]["code"] = ran
        report["targets"][0]["legs"][0]["user_code"] = list(ran)

    payload = place.payload()
    place.change_report(earlier)
    payload["predicate"].update(
        report=sha256(place.report.read_bytes()).hexdigest(),
        code={"loader data:load": "1" * 64},
        stages=None,
        bom=None,
        chosen=None,
    )
    place.bom.unlink()
    place.sign(payload)
    place.trust.write_text(TRUST + "require: {stages: [compliance]}\n")
    done = place.verify()
    assert done.returncode == 0, done.stderr
    ran = ("model_validation", "compliance", "optimization")
    payload["predicate"]["stages"] = [{"stage": name, "verdict": "pass"} for name in ran]
    place.sign(payload)
    refused(place.verify(), "the certificate differs from its report in evidence")
