"""What is certified: a pass that is one when it is judged again, of the files that were measured, on evidence that counts."""

from __future__ import annotations

import json
import os
from base64 import b64decode
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import onnx
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_public_key,
)
from kit.certified import TRUST, Place, counted, write_key
from kit.command import call
from securesystemslib.dsse import Envelope
from securesystemslib.signer import SSlibKey


def refused(place: Place, done: Any, *said: str, code: int = 1) -> None:
    assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
    assert "Traceback" not in done.stderr
    for words in said:
        assert words in done.stderr, done.stderr


@pytest.fixture(autouse=True)
def _none_before(place: Place) -> None:
    place.certificate.unlink()


def public(place: Place) -> Any:
    return load_pem_public_key((place.folder / "release.pub").read_bytes())


def test_other_programs_verify_the_envelope(place: Place) -> None:
    """securesystemslib by itself, and a loop of ten lines that knows of DSSE what its protocol says."""
    assert place.certify().returncode == 0
    document = json.loads(place.certificate.read_text())
    Envelope.from_dict(json.loads(place.certificate.read_text())).verify([SSlibKey.from_crypto(public(place))], 1)
    kind, payload = document["payloadType"].encode(), b64decode(document["payload"])
    authenticated = b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)
    for each in document["signatures"]:
        public(place).verify(b64decode(each["sig"]), authenticated)
    assert json.loads(payload)["_type"] == "https://in-toto.io/Statement/v1"


def test_the_same_of_an_ecdsa_key(place: Place) -> None:
    write_key(place.folder, "ecdsa")
    assert place.certify().returncode == 0
    document = json.loads(place.certificate.read_text())
    kind, payload = document["payloadType"].encode(), b64decode(document["payload"])
    authenticated = b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)
    public(place).verify(b64decode(document["signatures"][0]["sig"]), authenticated, ec.ECDSA(SHA256()))


def test_what_a_certificate_states(place: Place) -> None:
    done = place.certify()
    assert done.returncode == 0
    assert "as here/onnx_runtime/int8_dynamic" in done.stdout
    stated = place.payload()
    assert stated["subject"] == [{"name": place.model.name, "digest": {"sha256": sha256(place.model.read_bytes()).hexdigest()}}]
    found, report = stated["predicate"], json.loads(place.report.read_text())
    assert found["report"] == sha256(place.report.read_bytes()).hexdigest()
    assert found["model"] == {"name": "model.onnx", "sha256": sha256((place.folder / "model.onnx").read_bytes()).hexdigest()}
    assert found["pipeline"]["sha256"] == sha256((place.folder / "pipeline.yaml").read_bytes()).hexdigest()
    assert found["data"]["the evaluation set"]["sha256"] == sha256((place.folder / "eval.npz").read_bytes()).hexdigest()
    gates = {each["gate"]: each for each in report["targets"][0]["variants"][0]["gates"]}
    assert [each["gate"] for each in found["gates"]] == list(gates)
    for each in found["gates"]:
        own = gates[each["gate"]]
        assert {key: each[key] for key in each if key in own} == {key: own[key] for key in each if key in own}
    accuracy = next(each for each in found["gates"] if each["gate"] == "accuracy")
    assert (accuracy["n"], accuracy["of"], found["examples"]) == (600, "examples", 600)
    assert {each["what"]: each["limit"] for each in found["monitoring"]} == {"accuracy": 0.95, "worst_class": 0.95}
    assert (found["evidence"], found["waivers"], found["approvals"]) == ("trusted_runner", [], None)
    assert found["origin"]["workflow"] == ""


def gate(report: dict[str, Any], name: str) -> dict[str, Any]:
    return next(each for each in report["targets"][0]["variants"][0]["gates"] if each["gate"] == name)


def accuracy(report: dict[str, Any]) -> dict[str, Any]:
    return gate(report, "accuracy")


def undecided(report: dict[str, Any]) -> None:
    counted(accuracy(report), 568, 22, 0)
    assert accuracy(report)["lower"] < accuracy(report)["limit"] < accuracy(report)["observed"]
    accuracy(report).update(verdict="inconclusive")
    variant = report["targets"][0]["variants"][0]
    for each in (report, report["targets"][0], variant):
        each["verdict"] = "inconclusive"


def leg(report: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = report["targets"][0]["legs"][0]
    return found


NOT: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "undecided": (undecided, "judged again it is inconclusive"),
    "undecided, and tolerated": (
        lambda r: (undecided(r), r["pipeline"].update(on_inconclusive="warn")),
        "judged again it is inconclusive",
    ),
    "a bound that does not clear its limit": (lambda r: accuracy(r).update(lower=0.9), "and only a pass is certified"),
    "a gate that fails, and a report that says pass": (lambda r: accuracy(r).update(verdict="fail"), "judged again it is fail"),
    "a stage that did not pass": (
        lambda r: r["stages"][0].update(verdict="error", reason="not run"),
        "the stage model_validation is error",
    ),
    "a gate that was not measured and only warns": (
        lambda r: (gate(r, "outputs").update(verdict="error"), r["pipeline"].update(sha256="0" * 64)),
        "outputs was asked for and could not be measured",
    ),
    "user code that nothing held": (
        lambda r: leg(r).update(user_code=["loader data:load"], unheld="it is not Linux"),
        "its evidence is untrusted_leg: here/onnx_runtime ran loader data:load, and nothing held it: it is not Linux",
    ),
    "user code, and no word of what held it": (
        lambda r: leg(r).update(user_code=["loader data:load"]),
        "its evidence is untrusted_leg: here/onnx_runtime ran loader data:load, and does not say what held it",
    ),
    "user code that something unknown held": (
        lambda r: leg(r).update(user_code=["loader data:load"], held="trust me"),
        "trust me is none of namespaces",
    ),
    "code of which a leg does not say that it ran": (
        lambda r: (
            r["data"].update(code={f"loader a:{name}": {"sha256": "0" * 64, "covers": []} for name in "bc"}),
            leg(r).update(user_code=["loader a:b"], held="namespaces"),
        ),
        "rests on loader a:c, and here/onnx_runtime does not say that it ran",
    ),
    "a plugin": (lambda r: leg(r).update(user_code=["plugin x 1.0"]), "ran with plugin x 1.0, which nothing can hold"),
    "a decode": (lambda r: leg(r).update(user_code=["decode a:b"]), "ran decode a:b, whose word is all"),
    "code of which no leg says that it ran": (
        lambda r: r["data"].update(code={"loader a:b": {"sha256": "0" * 64, "covers": []}}),
        "rests on loader a:b, and no leg says that it ran",
    ),
    "data that nobody knows": (lambda r: r.update(data=None), "does not say which data"),
    "another artifact": (
        lambda r: r["targets"][0]["variants"][0]["artifact"].update(sha256="0" * 64),
        "is not what was measured",
    ),
    "no gates": (lambda r: r["targets"][0]["variants"][0].update(gates=[]), "only a pass is certified"),
    "no targets": (lambda r: r.update(targets=[]), "only a pass is certified"),
}


@pytest.mark.parametrize("way", NOT)
def test_what_is_not_certified(place: Place, way: str) -> None:
    change, said = NOT[way]
    place.change_report(change)
    refused(place, place.certify(), said)
    assert not place.certificate.exists()


def test_a_report_of_tomorrow_is_not_certified(place: Place) -> None:
    place.change_report(lambda r: r.update(created="2999-01-01T00:00:00Z"))
    refused(place, place.certify(), "was measured at 2999-01-01T00:00:00Z, and here it is", "set the wrong clock right")


def test_a_key_that_is_a_model_says_what_a_key_is(place: Place) -> None:
    place.key.write_bytes(bytes(1 << 20))
    done = place.certify()
    assert done.returncode == 2
    assert "bytes are too large for a key. " in done.stderr
    assert done.stderr.rstrip().count(". ") >= 1


def test_a_run_that_left_legs_out_says_so(place: Place) -> None:
    """As the demo does, whose file names more frameworks than it runs."""

    def partial(report: dict[str, Any]) -> None:
        report["pipeline"].update(legs=["here/onnx_runtime", "here/openvino"], sha256="0" * 64)

    place.change_report(partial)
    refused(
        place,
        place.certify(),
        "it is a partial run, as `gatekeeper demo` and `gatekeeper run --framework` make one: of the 2 legs that pipeline.yaml",
        "here/openvino did not run. Run the whole file (gatekeeper run pipeline.yaml), or let `optimization.frameworks` in it "
        "name only onnx_runtime",
    )


def test_what_ships_says_itself_under_which_licence(place: Place) -> None:
    """The report says MIT everywhere, and nothing of its file is at hand: the model's own header knows better."""
    model = onnx.load(place.model)
    onnx.helper.set_model_props(model, {"license": "Apache-2.0"})
    onnx.save(model, place.model)

    def other(report: dict[str, Any]) -> None:
        report["targets"][0]["variants"][0]["artifact"]["sha256"] = sha256(place.model.read_bytes()).hexdigest()
        report["pipeline"]["sha256"] = "0" * 64

    place.change_report(other)
    assert place.certify().returncode == 0
    place.certificate.unlink()
    place.change_report(lambda report: report["stages"][1]["compliance"].update(license="MIT", allowed=[]))
    refused(place, place.certify(), "says that its licence is 'Apache-2.0' (metadata_props license), and MIT is declared")


def test_what_makes_no_bom_is_not_certified(place: Place) -> None:
    place.bom.unlink()
    place.change_report(lambda report: report.update(created="yesterday"))
    refused(place, place.certify(), "makes no BOM in CycloneDX 1.6", "'yesterday' is not a 'date-time'")
    assert not place.certificate.exists()
    assert not place.bom.exists()


def test_held_user_code_is_certified(place: Place) -> None:
    def ran(report: dict[str, Any]) -> None:
        report["data"]["code"] = {"loader data:load": {"sha256": "1" * 64, "covers": ["data.py"]}}
        leg(report).update(user_code=["loader data:load"], held="namespaces")

    place.change_report(ran)
    assert place.certify().returncode == 0
    assert place.payload()["predicate"]["code"] == {"loader data:load": "1" * 64}


def with_a_loader(place: Place) -> None:
    """The file names a loader, as if it had when this was measured; the report is silent of it."""
    file = place.folder / "pipeline.yaml"
    before = file.read_text()
    file.write_text(before.replace("dataset: {path: eval.npz}", "dataset: {loader: 'own:data'}"))
    assert file.read_text() != before
    digest = sha256(file.read_bytes()).hexdigest()
    place.change_report(lambda report: report["pipeline"].update(sha256=digest))


@pytest.mark.parametrize("elsewhere", [False, True])
def test_a_report_that_is_silent_of_code_that_its_file_names_is_refused(place: Place, elsewhere: bool) -> None:
    """Where the file lies as the report says, and where it is named from another folder."""
    with_a_loader(place)
    cwd = place.folder / "elsewhere"
    cwd.mkdir()

    def certify() -> Any:
        words = ["certify", place.report, "--key", place.key]
        if elsewhere:
            return call([*words, "--config", place.folder / "pipeline.yaml"], cwd, {})
        return call(words, place.folder, {})

    refused(place, certify(), "here/onnx_runtime does not say that loader own:data ran", code=2)
    place.change_report(lambda report: leg(report).update(user_code=["loader own:data"], held="namespaces"))
    refused(place, certify(), "does not say what code loader own:data was", code=2)
    code = {"loader own:data": {"sha256": "1" * 64, "covers": ["own.py"]}}
    place.change_report(lambda report: report["data"].update(code=code))
    assert certify().returncode == 0


def test_a_stage_that_is_left_out_is_missed_where_the_file_is_named(place: Place) -> None:
    place.change_report(lambda r: r.update(stages=[each for each in r["stages"] if each["stage"] != "compliance"]))
    cwd = place.folder / "elsewhere"
    cwd.mkdir()
    words = ["certify", place.report, "--key", place.key]
    done = call([*words, "--config", place.folder / "pipeline.yaml"], cwd, {})
    refused(place, done, "the stage compliance is error: its report says nothing of it")
    assert not place.certificate.exists()
    place.change_report(lambda r: r["pipeline"].update(sha256="0" * 64))  # so that no file is its own
    done = call([*words, "--config", place.folder / "pipeline.yaml"], cwd, {})
    refused(place, done, "is not the file that the results were measured by", code=2)
    assert call(words, cwd, {}).returncode == 0  # nobody named it: what ran is signed, for a trust file to ask for
    assert [each["stage"] for each in place.payload()["predicate"]["stages"]] == ["model_validation", "optimization"]
    place.trust.write_text(TRUST + "require: {stages: [compliance]}\n")
    assert "the stage compliance is required here, and did not run" in place.verify().stderr


def test_a_changed_model_is_not_what_was_measured(place: Place) -> None:
    place.model.write_bytes(place.model.read_bytes() + b"\0")
    refused(place, place.certify(), "is not what was measured")
    refused(place, place.certify("--artifact", place.model), "Name what was measured")


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege there")
def test_no_link_is_certified_and_none_written_through(place: Place) -> None:
    kept = place.model.rename(place.folder / "kept.onnx")
    (place.folder / "out/artifacts" / "here__onnx_runtime__int8_dynamic.onnx").symlink_to(kept)
    refused(place, place.certify(), "is a link")
    place.certificate.symlink_to(place.folder / "elsewhere")
    refused(place, place.certify("--artifact", kept), "nothing is written through one", code=2)
    assert not (place.folder / "elsewhere").exists()
    place.certificate.unlink()
    place.bom.unlink()
    place.bom.symlink_to(place.folder / "elsewhere")
    refused(place, place.certify("--artifact", kept), "certificate.cdx.json: is a link", code=2)
    assert not (place.folder / "elsewhere").exists()


def test_the_artifact_may_lie_elsewhere(place: Place) -> None:
    moved = place.model.rename(place.folder / "model_int8.onnx")
    refused(place, place.certify(), "is not there", code=2)
    assert place.certify("--artifact", moved).returncode == 0
    assert place.payload()["subject"][0]["name"] == "model_int8.onnx"
    assert place.verify(model=moved).returncode == 0


KEYS: dict[str, Callable[[], bytes]] = {
    "empty": lambda: b"",
    "text": lambda: b"hello",
    "a public key": lambda: b"",
    "with a password": lambda: Ed25519PrivateKey.generate().private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x")
    ),
    "rsa": lambda: generate_private_key(65537, 2048).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
    "another curve": lambda: ec.generate_private_key(ec.SECP256K1()).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    ),
}


@pytest.mark.parametrize("kind", KEYS)
def test_a_key_that_is_none(place: Place, kind: str) -> None:
    content = KEYS[kind]() if kind != "a public key" else (place.folder / "release.pub").read_bytes()
    place.key.write_bytes(content)
    refused(place, place.certify(), "release.key: ", code=2)
    place.key.unlink()
    refused(place, place.certify(), "cannot be read", code=2)


def test_a_result_that_is_none(place: Place) -> None:
    place.report.write_text("{}")
    refused(place, place.certify(), "not a gatekeeper report", code=2)
    place.report.unlink()
    refused(place, place.certify(), "cannot be read", code=2)
