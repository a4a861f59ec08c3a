"""A release held to a trust file by a workflow's step: what it says to the steps after it, and what it does not believe."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from kit.certified import TRUST, Place, certified, two_targets, write_key
from kit.once import Once
from kit.runner import read_outputs

from gatekeeper.certificate.signing import signed, signer_of
from gatekeeper.github.action import work


@pytest.fixture
def place(once: Once, tmp_path: Path) -> Place:
    return certified(once, tmp_path)


def environ(place: Place, **more: str) -> dict[str, str]:
    return {
        "COMMAND": "verify",
        "RESULTS": str(place.folder / "out"),
        "TRUST": str(place.trust),
        "GITHUB_OUTPUT": str(place.folder / "outputs"),
        "GITHUB_STEP_SUMMARY": str(place.folder / "summary"),
    } | more


def outputs(place: Place) -> dict[str, str]:
    return read_outputs((place.folder / "outputs").read_text())


def summary(place: Place) -> str:
    return (place.folder / "summary").read_text()


def test_a_release_says_what_may_be_published_and_why(place: Place, capfd: pytest.CaptureFixture[str]) -> None:
    assert work(environ(place)) == 0
    told = outputs(place)
    assert (told["verdict"], told["signer"]) == ("pass", "releases")
    assert (told["certificate"], told["model"]) == (str(place.certificate), str(place.model))
    assert told["sha256"] == hashlib.sha256(place.certificate.read_bytes()).hexdigest()
    assert "✅ gatekeeper: released" in summary(place)
    shown = capfd.readouterr().out
    for text in (shown, summary(place)):
        assert "signed by releases" in text and "judged again from its report" in text
        assert "--predicate-type" in text and "--signer-workflow" in text
    assert "gh attestation verify" in summary(place)


@pytest.mark.parametrize(
    "named", [{"MODEL": "model"}, {"CERTIFICATE": "certificate"}, {"CERTIFICATE": "certificate", "RESULTS": ""}], ids=str
)
def test_files_may_be_named(place: Place, named: dict[str, str]) -> None:
    known = {"model": str(place.model), "certificate": str(place.certificate)}
    assert work(environ(place, **{name: known.get(value, value) for name, value in named.items()})) == 0
    assert outputs(place)["model"] == str(place.model)


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        (
            {"RESULTS": ""},
            "`verify` needs `results`: the folder with certificate.json, report.json and artifacts/; or `certificate`",
        ),
        ({"RESULTS": "nowhere"}, "nowhere: no such folder"),
        ({"TRUST": ""}, "`verify` needs `trust`: the trust file of this repository"),
        ({"TRUST": "nowhere.yaml"}, "nowhere.yaml"),
        ({"CERTIFICATE": "nowhere.json"}, "nowhere.json: cannot be read"),
        ({"MODEL": "nowhere.onnx"}, "nowhere.onnx"),
        ({"PACKAGES": "evil"}, "the input packages does nothing for `verify`"),
        ({"EXTRA": "openvino"}, "the input extra does nothing for `verify`"),
        ({"RUN_ID": "7"}, "the input run-id does nothing for `verify`"),
        ({"BASE": "."}, "the input base does nothing for `verify`"),
        ({"POLICY": "base"}, "the input policy does nothing for `verify`: limits stand in the trust file"),
        ({"FAIL_ON": "error"}, "`verify` always fails where its answer is no"),
        ({"COMMAND": "verfiy"}, "the input command is 'verfiy'; did you mean 'verify'?"),
    ],
)
def test_wrong_inputs(place: Place, capfd: pytest.CaptureFixture[str], inputs: dict[str, str], said: str) -> None:
    assert work(environ(place, **inputs)) == 2
    shown = capfd.readouterr()
    assert said in shown.out + shown.err and "Traceback" not in shown.out + shown.err
    assert outputs(place)["verdict"] == "error" and "model" not in outputs(place)


def other_model(place: Place) -> None:
    file = next(place.model.rglob("*.onnx")) if place.model.is_dir() else place.model
    file.write_bytes(file.read_bytes()[:-1] + b"x")


def other_report(place: Place) -> None:
    place.change_report(lambda report: report.update(created="2020-01-01T00:00:00Z"))


def stricter(place: Place) -> None:
    place.trust.write_text(TRUST + "limits: {accuracy: {retention: 1.0}}\n")


def strange_key(place: Place) -> None:
    payload = place.payload()
    shutil.copy2(place.key, place.folder / "kept.key")
    public = (place.folder / "release.pub").read_bytes()
    write_key(place.folder)
    place.sign(payload)
    (place.folder / "release.pub").write_bytes(public)


def out_of_its_folder(place: Place) -> None:
    """By the trusted key, and all the same nothing outside of what was downloaded is looked at."""
    place.change_report(lambda report: report["targets"][0]["variants"][0]["artifact"].update(path="../../elsewhere"))
    payload = place.payload()
    payload["predicate"]["report"] = hashlib.sha256(place.report.read_bytes()).hexdigest()
    place.sign(payload)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (other_model, "its SHA-256 is"),
        (other_report, "is not the report that"),
        (stricter, "≥ 100.0%25 is "),
        (strange_key, "is not by a signer of the trust file"),
        (out_of_its_folder, "outside of its folder"),
    ],
)
def test_what_is_refused_says_so_and_names_nothing_to_publish(
    place: Place, capfd: pytest.CaptureFixture[str], change: Callable[[Place], None], said: str
) -> None:
    change(place)
    assert work(environ(place)) == 1
    shown = capfd.readouterr().out
    assert said in shown and "::error title=gatekeeper%3A not released::" in shown and "Traceback" not in shown
    assert outputs(place) == {"verdict": "fail"}
    assert "❌ gatekeeper: not released" in summary(place) and said.replace("%25", "%") in summary(place).replace("\\", "")


def brought(place: Place, file: str, text: str) -> Path:
    """A trust file of somebody else's, whose own certificate lies in `out`."""
    payload = place.payload()
    key = write_key(place.folder / "out", name="attacker")
    place.certificate.write_bytes(signed(json.dumps(payload).encode(), signer_of(key)))
    trust = place.folder / file
    trust.parent.mkdir(exist_ok=True)
    trust.write_text(text)
    return trust


@pytest.mark.parametrize("named", ["results", "certificate", "both", "model"])
@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("out/trust.yaml", "signers: [{name: me, key: attacker.pub}]\n"),
        ("out/deep/trust.yaml", "signers: [{name: me, key: ../attacker.pub}]\n"),
        ("trust.yaml", "signers: [{name: me, key: out/attacker.pub}]\n"),
        ("trust.yaml", "signers: [{name: me, key: other/../out/attacker.pub}]\n"),
        (
            "trust.yaml",
            "signers: [{identity: https://a/b@c, issuer: https://i}, {name: me, key: release.pub}]\n"
            "trusted_root: out/trusted_root.json\n",
        ),
    ],
)
def test_no_release_brings_its_own_trust(
    place: Place, capfd: pytest.CaptureFixture[str], file: str, text: str, named: str
) -> None:
    trust = brought(place, file, text)
    certificate, out = str(place.certificate), str(place.folder / "out")
    inputs = {
        "results": {"RESULTS": out},
        "certificate": {"RESULTS": "", "CERTIFICATE": certificate},
        "both": {"RESULTS": out, "CERTIFICATE": certificate},
        "model": {"RESULTS": "", "CERTIFICATE": certificate, "MODEL": str(place.model)},
    }[named]
    assert work(environ(place, TRUST=str(trust), **inputs)) == 2
    assert "it could bring its own trust" in capfd.readouterr().out
    assert outputs(place)["verdict"] == "error"


def test_what_the_attacker_signed_is_released_by_a_trust_file_that_names_the_attacker(place: Place) -> None:
    """So that it is where the file lies, and nothing else, that the test above sees refused."""
    brought(place, "trust.yaml", "signers: [{name: me, key: attacker.pub}]\n")
    shutil.copy2(place.folder / "out/attacker.pub", place.folder / "attacker.pub")
    assert work(environ(place)) == 0


def test_a_link_leads_nowhere_around_it(place: Place, capfd: pytest.CaptureFixture[str]) -> None:
    brought(place, "out/trust.yaml", "signers: [{name: me, key: attacker.pub}]\n")
    (place.folder / "mine").symlink_to(place.folder / "out", target_is_directory=True)
    assert work(environ(place, TRUST=str(place.folder / "mine/trust.yaml"))) == 2
    assert "it could bring its own trust" in capfd.readouterr().out


@pytest.fixture
def several(place: Place) -> Place:
    for name, model in zip(("here", "there"), two_targets(place), strict=True):
        done = place.certify("--artifact", model, "--output", f"out/certificate-{name}.json")
        assert done.returncode == 0, done.stderr
    return place


def test_every_target_has_its_certificate_and_none_can_be_left_out(several: Place, capfd: pytest.CaptureFixture[str]) -> None:
    assert work(environ(several)) == 0, capfd.readouterr().out
    told = outputs(several)
    assert [Path(each).name for each in told["certificate"].splitlines()] == ["certificate-here.json", "certificate-there.json"]
    assert len(told["model"].splitlines()) == len(told["sha256"].splitlines()) == 2
    (several.folder / "out/certificate-there.json").unlink()
    assert work(environ(several)) == 1
    said = "there/onnx_runtime/int8_dynamic: the report selects it, and there is no certificate of it here"
    assert said in capfd.readouterr().out
    # one of them by name is another question
    one = str(several.folder / "out/certificate-here.json")
    assert work(environ(several, CERTIFICATE=one)) == 0
    assert work(environ(several, MODEL=str(several.folder / "out/artifacts/there.onnx"), CERTIFICATE=one)) == 1


def test_it_takes_the_extra_release_alone_and_no_framework(place: Place) -> None:
    """What the step imports, with everything installed."""
    hidden = [
        "github",
        "requests",
        "onnx",
        "onnxruntime",
        "openvino",
        "torch",
        "transformers",
        "llama_cpp",
        "olive",
        "modelaudit",
        "aiohttp",
    ]
    code = (
        "import os, sys\n"
        f"for name in {hidden!r}: sys.modules[name] = None\n"
        "from gatekeeper.github.action import work\n"
        "sys.exit(work(os.environ))\n"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=os.environ | environ(place), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert outputs(place)["verdict"] == "pass"
