"""A certificate made by a workflow: approvals come from GitHub's API for this very run, and from nowhere else."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

import pytest
from kit.certified import Place, certified, two_targets
from kit.github_api import FORK_ID, TOKEN, StandIn
from kit.once import Once
from kit.runner import read_outputs

from gatekeeper.certificate import keyless
from gatekeeper.certificate.signing import public_key
from gatekeeper.errors import UsageError
from gatekeeper.github.action import work
from gatekeeper.github.approvals import approvals
from gatekeeper.github.context import Event

SHA = "b" * 40


def event(api: StandIn, run: int | None) -> Event:
    return Event(name="push", repository="octo/models", api_url=api.url, run_id=run)


def test_the_answers_of_this_run_are_told(api: StandIn) -> None:
    run, other = api.run(), api.run()
    api.approve(run, "production", "mona", comment="looks\n::error::good")
    api.approve(run, "staging", "hubot", state="rejected")
    api.approve(other, "production", "eve")
    told = approvals(event(api, run), TOKEN)
    assert [(each.environment, each.state, each.user) for each in told] == [
        ("production", "approved", "mona"),
        ("staging", "rejected", "hubot"),
    ]
    assert "\n" not in told[0].comment
    assert "::error" not in told[0].comment.replace("\u2060", "_")


def test_a_run_that_asked_nobody_has_none(api: StandIn) -> None:
    assert approvals(event(api, api.run()), TOKEN) == []


@pytest.mark.parametrize(
    ("token", "run", "said"),
    [
        ("", 1, "there is no token"),
        ("wrong", 1, "does not accept the token"),
        (TOKEN, 4711, "actions: read"),
        (TOKEN, None, "GITHUB_RUN_ID is not set"),
    ],
)
def test_what_github_does_not_tell_is_said(api: StandIn, token: str, run: int | None, said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        approvals(event(api, run), token)
    assert not token or token not in str(caught.value)


@pytest.mark.parametrize("body", ["{}", "[1]", '[{"environments": 1, "state": "approved"}]', "null", "<html>"])
def test_an_answer_that_is_none(api: StandIn, body: str) -> None:
    run = api.run()
    api.fail("GET", "approvals", status=200, body=body, headers={"content-type": "application/json"})
    with pytest.raises(UsageError, match="were not read"):
        approvals(event(api, run), TOKEN)


@pytest.fixture
def place(once: Once, tmp_path: Path) -> Place:
    found = certified(once, tmp_path)
    found.change_report(lambda report: report.update(commit=SHA))
    found.certificate.unlink()
    return found


def environ(place: Place, api: StandIn, run: int, **more: str) -> dict[str, str]:
    return {
        "COMMAND": "certify",
        "RESULTS": str(place.report.parent),
        "KEY": str(place.key),
        "TOKEN": TOKEN,
        "GITHUB_ACTIONS": "true",
        "GITHUB_API_URL": api.url,
        "GITHUB_REPOSITORY": "octo/models",
        "GITHUB_RUN_ID": str(run),
        "GITHUB_SHA": SHA,
        "GITHUB_EVENT_NAME": "push",
        "GITHUB_REF_PROTECTED": "true",
        "GITHUB_OUTPUT": str(place.folder / "outputs"),
        "GITHUB_STEP_SUMMARY": str(place.folder / "summary"),
        "RUNNER_TEMP": str(place.folder),
    } | more


def outputs(place: Place) -> dict[str, str]:
    return read_outputs((place.folder / "outputs").read_text())


def stated(place: Place) -> Any:
    return place.payload()["predicate"]["approvals"]


def test_a_step_certifies_with_them(place: Place, api: StandIn, capfd: pytest.CaptureFixture[str]) -> None:
    run = api.run()
    api.approve(run, "production", "mona", comment="ship it")
    more = {"APPROVALS": json.dumps([{"user": "eve"}]), "INPUT_APPROVALS": "eve"}
    assert work(environ(place, api, run, **more)) == 0
    assert "approved by: mona (approved, production)" in capfd.readouterr().out
    assert stated(place) == [{"environment": "production", "state": "approved", "user": "mona", "comment": "ship it"}]
    assert place.verify().returncode == 0
    told = outputs(place)
    assert (told["verdict"], told["certificate"], told["model"]) == ("pass", str(place.certificate), str(place.model))
    assert told["sha256"] == hashlib.sha256(place.certificate.read_bytes()).hexdigest()
    assert told["signer"] == public_key(place.folder / "release.pub").keyid
    summary = (place.folder / "summary").read_text()
    assert "✅ gatekeeper: certified" in summary and told["sha256"] in summary and "approved by: mona" in summary


def test_who_refused_did_not_approve(place: Place, api: StandIn, capfd: pytest.CaptureFixture[str]) -> None:
    run = api.run()
    api.approve(run, "production", "eve", state="rejected")
    assert work(environ(place, api, run)) == 0
    said = capfd.readouterr().out
    assert "approved by: nobody\n" in said and "not approved by: eve (rejected, production)" in said
    assert stated(place) == []
    api.approve(run, "production", "mona")
    place.certificate.unlink()
    assert work(environ(place, api, run)) == 0
    assert [each["user"] for each in stated(place)] == ["mona"]


def test_without_an_answer_nothing_is_certified(place: Place, api: StandIn, capfd: pytest.CaptureFixture[str]) -> None:
    assert work(environ(place, api, 4711)) == 2
    assert "the approvals of this run were not read" in capfd.readouterr().out
    assert outputs(place) == {"verdict": "error"}
    assert work(environ(place, api, api.run(), GITHUB_EVENT_NAME="push", GITHUB_REF_PROTECTED="false")) == 1
    assert not place.certificate.exists()
    assert outputs(place) == {"verdict": "fail"}
    assert "❌ gatekeeper: not certified" in (place.folder / "summary").read_text()


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ({"RESULTS": ""}, "`certify` needs `results`: the folder with report.json"),
        ({"RESULTS": "nowhere"}, "nowhere: is not there"),
        ({"KEY": ""}, "there is no key to sign with. Pass `key: ${{ secrets.GATEKEEPER_KEY }}`"),
        ({"KEY": "release"}, "`key` is neither a private key in PEM nor the path of one"),
        ({"KEY": "a\nb"}, "`key` is neither a private key in PEM nor the path of one"),
        ({"KEY": "-----BEGIN PRIVATE KEY-----\nnone\n-----END PRIVATE KEY-----"}, "not a private key in PEM"),
        ({"PACKAGES": "evil"}, "the input packages does nothing for `certify`"),
        ({"TARGET": "x86"}, "the input target does nothing for `certify`"),
        ({"POLICY_REF": "main"}, "the input policy-ref does nothing for `certify`"),
        ({"TRUST": "trust.yaml"}, "the input trust does nothing for `certify`"),
        ({"FAIL_ON": "never"}, "`certify` always fails where its answer is no"),
        ({"POLICY": "base"}, "`policy: base` needs `base`"),
        ({"POLICY": "bsae"}, "the input policy is 'bsae'; did you mean 'base'?"),
        ({"POLICY": "base", "BASE": "nowhere"}, "no such file. `base` is a checkout"),
        ({"BASE": "nowhere", "CONFIG": "../p.yaml"}, "a path inside the repository"),
        ({"RUN_ID": "7"}, "`results` and `run-id` both name a report"),
        ({"RESULTS": "", "RUN_ID": "7"}, "`run-id` brings the report alone. Name the model"),
        ({"RESULTS": "", "RUN_ID": "7; id", "MODEL": "m"}, "run-id is '7; id', not a number"),
        ({"MODEL": "nowhere.onnx"}, "nowhere.onnx"),
    ],
)
def test_wrong_inputs(place: Place, api: StandIn, capfd: pytest.CaptureFixture[str], inputs: dict[str, str], said: str) -> None:
    assert work(environ(place, api, api.run(), **inputs)) == 2
    shown = capfd.readouterr().out
    assert said in shown and "Traceback" not in shown
    assert not place.certificate.exists() and outputs(place) == {"verdict": "error"}


def test_without_a_key_the_identity_of_the_job_signs(
    place: Place, api: StandIn, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """How Sigstore signs and is believed is in tests/certificate; here nobody answers at the address of its keys."""
    asked = list[object]()

    def config(instance: object) -> None:
        asked.append(instance)
        raise UsageError("nobody is there")

    monkeypatch.setattr(keyless, "_config", config)
    assert work(environ(place, api, api.run(), KEY="", **{keyless.AMBIENT: "https://token.example"})) == 2
    assert asked == [None] and "nobody is there" in capfd.readouterr().out
    assert not place.certificate.exists()


def test_a_key_may_be_the_secret_itself_and_no_file_of_it_stays(
    place: Place, api: StandIn, capfd: pytest.CaptureFixture[str]
) -> None:
    secret = place.key.read_text()
    before = sorted(file.name for file in place.folder.iterdir())
    assert work(environ(place, api, api.run(), KEY=secret.replace("\n", "\r\n"))) == 0
    assert place.verify().returncode == 0
    left = sorted(file.name for file in place.folder.iterdir())
    assert left == sorted([*before, "outputs", "summary"])
    assert secret.splitlines()[1] not in capfd.readouterr().out + (place.folder / "summary").read_text()


def test_each_target_has_a_certificate_of_its_own(place: Place, api: StandIn, capfd: pytest.CaptureFixture[str]) -> None:
    models = two_targets(place)
    assert work(environ(place, api, api.run())) == 0, capfd.readouterr().out
    told = outputs(place)
    certificates = [Path(each) for each in told["certificate"].splitlines()]
    assert [each.name for each in certificates] == ["certificate-here.json", "certificate-there.json"]
    assert told["model"].splitlines() == [str(model) for model in models]
    for certificate, model in zip(certificates, models, strict=True):
        assert place.verify(model=model, certificate=certificate).returncode == 0
    assert work(environ(place, api, api.run(), CERTIFICATE=str(place.certificate))) == 2
    assert "each with a certificate of its own" in capfd.readouterr().out


def archived(place: Place) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as file:
        file.write(place.report, "report.json")
    return packed.getvalue()


@pytest.mark.parametrize(
    ("run", "said"),
    [
        ({}, ""),
        ({"event": "release"}, ""),
        ({"event": "pull_request"}, "was started by pull_request"),
        ({"event": "workflow_run"}, "was started by workflow_run"),
        ({"event": "repository_dispatch"}, "was started by repository_dispatch"),
        ({"repository_id": FORK_ID}, "it is of another repository"),
        ({"repository_id": None}, "it is of another repository"),
        ({"conclusion": "failure"}, "ended in failure"),
        ({"sha": "d" * 40}, "is of the commit dddddddddddd, and this run is of bbbbbbbbbbbb"),
    ],
)
def test_the_report_of_another_run_is_believed_of_this_repositorys_own_commit_alone(
    place: Place, api: StandIn, capfd: pytest.CaptureFixture[str], run: dict[str, Any], said: str
) -> None:
    measured = api.run(**run)
    api.artifact(measured, archived(place))
    model, given = place.model.rename(place.folder / place.model.name), place.folder / "given"
    more = {"RESULTS": "", "RUN_ID": str(measured), "ARTIFACT": "gatekeeper-report", "MODEL": str(model), "OUTPUT": str(given)}
    assert work(environ(place, api, api.run(), **more)) == (1 if said else 0)
    shown = capfd.readouterr().out
    assert said in shown
    assert (given / "certificate.json").exists() == (not said)
    if not said:
        assert (
            place.verify("--report", given / "report.json", model=model, certificate=given / "certificate.json").returncode == 0
        )


def test_waivers_and_limits_are_those_of_the_checkout(place: Place, api: StandIn, capfd: pytest.CaptureFixture[str]) -> None:
    base = place.folder / "base"
    base.mkdir()
    shutil.copy2(place.folder / "pipeline.yaml", base / "edge_ai_pipeline.yaml")
    assert work(environ(place, api, api.run(), BASE=str(base))) == 0, capfd.readouterr().out
    place.certificate.unlink()
    assert work(environ(place, api, api.run(), BASE=str(base), POLICY="base")) == 2
    assert "the results were held to their own pipeline file's limits only, not to this" in capfd.readouterr().out
    (base / "gatekeeper-waivers.yml").write_text("waivers: [{gate: speedd}]\n")
    assert work(environ(place, api, api.run(), BASE=str(base))) == 2
    assert "gatekeeper-waivers.yml:1" in capfd.readouterr().out
    assert not place.certificate.exists()


def test_the_pipeline_file_that_was_checked_out_is_what_the_report_is_held_to(
    place: Place, api: StandIn, capfd: pytest.CaptureFixture[str]
) -> None:
    file = str(place.folder / "pipeline.yaml")
    assert work(environ(place, api, api.run(), CONFIG=file)) == 0
    assert f"its stages and code are those that {file} names" in capfd.readouterr().out
    place.certificate.unlink()
    nowhere = str(place.folder / "nowhere.yaml")
    assert work(environ(place, api, api.run(), CONFIG=nowhere)) == 0
    assert f"{nowhere} is not here: that no stage and no code was left out is the report's word" in capfd.readouterr().out
    place.certificate.unlink()
    place.change_report(lambda r: r.update(stages=[each for each in r["stages"] if each["stage"] != "compliance"]))
    assert work(environ(place, api, api.run(), CONFIG=file)) == 1
    assert "the stage compliance is error" in capfd.readouterr().out
    place.change_report(lambda r: r["pipeline"].update(sha256="0" * 64))
    assert work(environ(place, api, api.run(), CONFIG=file)) == 2
    assert "is not the file that the results were measured by" in capfd.readouterr().out
    assert not place.certificate.exists()
