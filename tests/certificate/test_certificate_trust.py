"""What the trust file asks for holds, whatever the report was held to; and a trust file that is wrong is said to be."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest
from kit.certified import TRUST, Place, counted, refused, write_key
from kit.command import call
from kit.support import REPOSITORY

from gatekeeper.certificate.trust import read_trust
from gatekeeper.gates._base import gate
from gatekeeper.gates._base import names as gate_names
from gatekeeper.models.files import digest_named


def verified(place: Place, more: str, trust: str = TRUST) -> Any:
    place.trust.write_text(trust + more)
    return place.verify()


@pytest.mark.parametrize(
    "more",
    [
        "limits: {accuracy: {retention: 0.98}}",
        "limits: {accuracy: {retention: 0.5}}",
        "limits: {worst_class: {}}",
        "require: {scan: clean, bom: true}",
        "require: {gates: [accuracy, worst_class], min_examples: 600, evidence: trusted_runner, max_age: 1h, waivers: none}",
        "revoked: ['" + "0" * 64 + "']",
    ],
)
def test_what_holds_here_too_is_released(place: Place, more: str) -> None:
    done = verified(place, more)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("limits: {accuracy: {retention: 0.997}}", "≥ 99.7% is inconclusive here"),  # what int8 keeps, the processor decides
        ("limits: {accuracy: {retention: 1.0}}", "≥ 100.0% is "),
        ("limits: {speedup: {min: 1.1}}", "speedup"),
        ("limits: {memory: {reduction: 0.1}}", "memory"),
        ("limits: {peak_mb: {max: 100}}", "peak_mb is required here, and was not judged"),
        ("limits: {p99_latency: {max_ms: 10}}", "p99_latency is required here, and was not judged"),
        ("require: {gates: [speedup]}", "speedup is required here, and there it only warned"),
        ("require: {gates: [agreement]}", "agreement is required here, and was not judged"),
        ("require: {gates: [accuracy/maths]}", "accuracy/maths is required here, and was not judged"),
        ("require: {min_examples: 601}", "it rests on 600 distinct examples, and 601 are required here"),
        ("datasets: ['" + "0" * 64 + "']", "it was judged on eval.npz ("),
    ],
)
def test_what_does_not_hold_here_is_refused(place: Place, more: str, said: str) -> None:
    refused(verified(place, more), said)


def test_the_dataset_that_is_named_is_accepted(place: Place) -> None:
    digest = place.payload()["predicate"]["data"]["the evaluation set"]["sha256"]
    assert verified(place, f"datasets: ['{'0' * 64}', '{digest}']").returncode == 0


@pytest.mark.parametrize("name", gate_names())
def test_a_gate_that_was_taken_out_is_missed(place: Place, name: str) -> None:
    """Out of report and certificate, with the right key: only who says here which gates there must be can know."""

    def without(report: dict[str, Any]) -> None:
        report["pipeline"]["sha256"] = "0" * 64
        variant = report["targets"][0]["variants"][0]
        variant["gates"] = [each for each in variant["gates"] if each["gate"] != name]

    place.change_report(without)
    place.certificate.unlink()
    assert place.certify().returncode == 0
    refused(verified(place, f"require: {{gates: [{name}]}}"), f"{name} is required here, and was not judged")


def scans(report: dict[str, Any]) -> Any:
    return next(each["scans"] for each in report["stages"] if each["stage"] == "model_validation")


def variant(report: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = report["targets"][0]["variants"][0]
    return found


UNSCANNED: dict[str, tuple[Any, str]] = {
    "nothing": (lambda r: (scans(r).clear(), variant(r).update(scan=None)), "nothing was scanned"),
    "the model alone": (lambda r: variant(r).update(scan=None), "did not look at here__onnx_runtime__int8_dynamic.onnx"),
    "what was made alone": (lambda r: scans(r).clear(), "no security scan is of model.onnx"),
    "another model": (lambda r: scans(r)[0]["files"][0].update(sha256="0" * 64), "no security scan is of model.onnx"),
    "another artifact": (lambda r: variant(r)["scan"]["files"][0].update(sha256="0" * 64), "did not look at here__onnx"),
    "what could not be read": (
        lambda r: variant(r)["scan"].update(verdict="unscanned"),
        "that of here/onnx_runtime/int8_dynamic could not look at all of it",
    ),
}


def several(report: dict[str, Any], scanned: dict[str, str], own: dict[str, str], told: bool = True) -> None:
    """The model is of several files, and those were scanned."""
    digest = digest_named(own)
    report["model"].update(sha256=digest, files=own if told else {})
    (scan,) = scans(report)
    (first,) = scan["files"]
    scan["files"] = [first | {"file": name, "sha256": sha256} for name, sha256 in scanned.items()]


TWO = {"model.onnx": "1" * 64, "weights.bin": "2" * 64}
UNSCANNED |= {
    "another model of two files": (
        lambda r: several(r, {"a.onnx": "3" * 64, "b.bin": "4" * 64}, TWO),
        "no security scan is of model.onnx",
    ),
    "another model of two files, where nobody says which the model has": (
        lambda r: several(r, {"a.onnx": "3" * 64, "b.bin": "4" * 64}, TWO, told=False),
        "no security scan is of model.onnx",
    ),
    "one of the model's two files": (
        lambda r: several(r, {"model.onnx": "1" * 64, "README.md": "4" * 64}, TWO),
        "no security scan is of model.onnx",
    ),
    "files that are not those of the model's own identity": (
        lambda r: (several(r, {"a.onnx": "3" * 64, "b.bin": "4" * 64}, TWO), r["model"].update(files={"a.onnx": "3" * 64})),
        "no security scan is of model.onnx",
    ),
}
HOSTILE: dict[str, tuple[Any, int]] = {
    "the model": (lambda r: scans(r)[0].update(verdict="hostile"), 1),
    "the model, by a finding": (lambda r: scans(r)[0]["files"][0].update(found=[{"rule": "bomb", "what": "x"}]), 1),
    "what was made": (lambda r: variant(r)["scan"].update(verdict="hostile"), 1),
    "what was made, by a finding": (lambda r: variant(r)["scan"]["files"][0].update(found=[{"rule": "bomb", "what": "x"}]), 1),
    "the model, unread": (lambda r: scans(r)[0].update(verdict="unscanned"), 4),
}


@pytest.mark.parametrize("way", UNSCANNED)
def test_a_clean_scan_is_of_the_model_and_of_what_ships(place: Place, way: str) -> None:
    change, said = UNSCANNED[way]
    place.change_report(lambda report: (change(report), report["pipeline"].update(sha256="0" * 64)))
    assert place.certify().returncode == 0
    assert place.verify().returncode == 0
    refused(verified(place, "require: {scan: clean}"), said)


@pytest.mark.parametrize(("more", "told"), [({}, True), ({}, False), ({"README.md": "4" * 64}, True)])
def test_a_scan_of_all_files_of_a_model_is_of_the_model(place: Place, more: dict[str, str], told: bool) -> None:
    place.change_report(lambda report: (several(report, TWO | more, TWO, told), report["pipeline"].update(sha256="0" * 64)))
    assert place.certify().returncode == 0
    done = verified(place, "require: {scan: clean}")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("way", HOSTILE)
def test_a_report_whose_scans_are_not_clean_does_not_pass_and_is_not_certified(place: Place, way: str) -> None:
    change, code = HOSTILE[way]
    place.change_report(lambda report: (change(report), report["pipeline"].update(sha256="0" * 64)))
    done = call(["report", "out/report.json"], place.folder, {})
    assert done.returncode == code, done.stdout
    assert "security_scan" in done.stdout
    assert place.certify().returncode == 1


WAIVERS = """\
waivers:
  - {{gate: accuracy, target: here, ceiling: 0.9, reason: known, owner: me, expires: {expires}}}
"""


@pytest.fixture
def waived(place: Place) -> Place:
    """A report that fails by its own limit, and is certified because somebody tolerates it."""

    def strict(report: dict[str, Any]) -> None:
        gate = next(each for each in report["targets"][0]["variants"][0]["gates"] if each["gate"] == "accuracy")
        gate.update(limit=0.9985, verdict="fail")

    place.change_report(strict)
    place.certificate.unlink()
    assert place.certify().returncode == 1
    (place.folder / "waivers.yml").write_text(WAIVERS.format(expires="2099-01-01"))
    done = place.certify("--waivers", "waivers.yml")
    assert done.returncode == 0, done.stderr
    return place


def test_a_waiver_counts_only_where_the_trust_file_says_so(waived: Place) -> None:
    assert [each["waiver"]["owner"] for each in waived.payload()["predicate"]["waivers"]] == ["me"]
    refused(verified(waived, ""), "failures of here/onnx_runtime/int8_dynamic accuracy were waived, and none may be here")
    done = verified(waived, "require: {waivers: signed, gates: [accuracy]}")
    assert done.returncode == 0, done.stderr
    assert "(waived)" in done.stdout


def test_no_waiver_holds_against_a_limit_of_the_trust_file(waived: Place) -> None:
    more = "require: {waivers: signed}\nlimits: {accuracy: {retention: 0.9}}"
    refused(verified(waived, more), "is fail here")


def test_a_waiver_that_expired_since_is_none(waived: Place) -> None:
    import datetime

    from gatekeeper.certificate.inventory import inventory
    from gatekeeper.certificate.verify import Release, released

    waived.trust.write_text(TRUST + "require: {waivers: signed, max_age: 99999d}\n")
    release = Release(waived.certificate.read_bytes(), waived.report.read_bytes(), inventory(waived.model))
    last = datetime.datetime(2099, 1, 1, 12, tzinfo=datetime.UTC)
    assert released(release, read_trust(waived.trust), last, "c").refused == []
    after = released(release, read_trust(waived.trust), last + datetime.timedelta(days=1), "c").refused
    assert "is fail here" in " ".join(after)


WRONG = {
    "": "the file is empty",
    "signers: []": "it must have entries, at least 1",
    "limits: {}": "needs the key 'signers'",
    "signers: [{name: a, key: nowhere.pub}]": "cannot be read",
    "signers: [{name: a, key: release.key}]": "not a public key in PEM",
    "signers: [{name: a, key: empty.pub}]": "is empty",
    "signers: [{name: '', key: release.pub}]": "signers[0].name",
    "signers: [{key: release.pub}]": "Give the signer a name",
    "signers: [{name: a}]": "trust.yaml:1:11: a signer has a key or an identity. Give it one of them",
    "signers: [{name: a, key: release.pub, identity: b, issuer: c}]": "a signer has a key or an identity",
    "signers: [{name: a, key: release.pub, issuer: c}]": "belong to an identity",
    "signers: [{name: a, key: release.pub, caller: c}]": "belong to an identity",
    "signers: [{identity: b}]": "Name its issuer",
    "signers: [{identity: 'https://github.com/o/r/*', issuer: c}]": "an identity is one, and no pattern",
    "signers: [{identity: b, issuer: c, caller: '*'}]": "an identity is one, and no pattern",
    "signers: [{identity: '', issuer: c}]": "signers[0].identity",
    "signers: [{identity: [b], issuer: c}]": "signers[0].identity",
    TRUST + "trusted_root: ''": "trusted_root",
    "signers: [{name: a, key: release.pub}, {name: b, key: release.pub}]": "two signers have one key",
    TRUST + "signer: x": "unknown key 'signer'; did you mean 'signers'?",
    TRUST + "require: {gates: [acuracy]}": "there is no gate 'acuracy'; did you mean 'accuracy'?",
    TRUST + "require: {gates: [speedup/maths]}": "speedup is not judged on further evaluation sets",
    TRUST + "require: {max_age: 90}": "require.max_age is 90; it must be text. Write it like 30d",
    TRUST + "require: {max_age: 0d}": "require.max_age",
    TRUST + "require: {evidence: untrusted_leg}": "require.evidence is 'untrusted_leg'",
    TRUST + "require: {min_examples: 0}": "require.min_examples",
    TRUST + "require: {waivers: all}": "require.waivers",
    TRUST + "require: {scan: unscanned}": "require.scan",
    TRUST + "require: {bom: maybe}": "require.bom",
    TRUST + "limits: {accuracy: {retention: 0.9, on_fail: warn}}": "a limit of a trust file always holds",
    TRUST + "limits: {accuracy: disabled}": "limits.accuracy",
    TRUST + "limits: {accuracy: {retention: 95}}": "limits.accuracy.retention",
    TRUST + "limits: {nonsense: {min: 1}}": "unknown key 'nonsense'",
    TRUST + "revoked: [abc]": "revoked[0]",
    TRUST + "datasets: [abc]": "datasets[0]",
    TRUST + TRUST: "the key 'signers' is already given",
    "signers: &a [*a]": "trust.yaml:1",
    "- 1": "trust.yaml:1",
    "\x00": "trust.yaml:1",
}


@pytest.mark.parametrize("text", WRONG)
def test_a_trust_file_that_is_wrong(place: Place, text: str) -> None:
    (place.folder / "empty.pub").write_text("")
    place.trust.write_text(text)
    refused(place.verify(), WRONG[text], code=2)


def test_a_trust_file_that_is_not_there(place: Place) -> None:
    place.trust.unlink()
    refused(place.verify(), "no such file", code=2)


@pytest.mark.skipif(os.name == "nt", reason="it has neither such links nor pipes with names")
@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("trust.yaml", "trust.yaml: is {}. Name the trust file itself."),
        ("release.pub", "release.pub is {}. Put the key itself there."),
    ],
)
def test_a_trust_file_or_key_that_is_something_else_is_not_waited_for(place: Place, name: str, said: str) -> None:
    file = place.folder / name
    kept = file.rename(place.folder / "kept")
    file.symlink_to(kept)
    refused(place.verify(), said.format("a link"), code=2)
    file.unlink()
    os.mkfifo(file)
    refused(place.verify(), said.format("no file"), code=2)
    file.unlink()
    file.mkdir()
    refused(place.verify(), said.format("no file"), code=2)


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege there")
def test_a_key_that_is_a_link(place: Place) -> None:
    key = place.folder / "release.pub"
    key.rename(place.folder / "kept.pub")
    key.symlink_to(place.folder / "kept.pub")
    refused(place.verify(), "release.pub is a link", code=2)
    key.unlink()
    (place.folder / "kept.pub").rename(key)
    (place.folder / "root.json").symlink_to(key)
    refused(verified(place, "trusted_root: root.json"), "trust.yaml:2:15: root.json is a link", code=2)


def test_several_may_sign_and_who_did_is_said(place: Place) -> None:
    write_key(place.folder, "ecdsa", name="second")
    trust = "signers: [{name: first, key: release.pub}, {name: second one, key: second.pub}]\n"
    assert "signed by first (ed25519" in verified(place, "", trust).stdout
    assert place.certify("--key", "second.key").returncode == 0
    assert "signed by second one (ecdsa-sha2-nistp256" in verified(place, "", trust).stdout
    keyid = json.loads(place.certificate.read_text())["signatures"][0]["keyid"]
    refused(verified(place, f"revoked: ['{keyid}']", trust), "the key of second one is revoked")


@pytest.mark.parametrize("name", gate_names())
def test_every_gate_can_be_limited(place: Place, name: str) -> None:
    field = gate(name).limit_key
    place.trust.write_text(f"{TRUST}limits: {{{name}: {{{field}: x}}}}")
    refused(place.verify(), f"limits.{name}.{field}", code=2)


def test_limits_here_are_for_what_is_released_and_not_for_other_targets(place: Place) -> None:
    """`there` keeps less, by a limit of its own, and has another gate less."""

    def lower(report: dict[str, Any]) -> None:
        other = json.loads(json.dumps(report["targets"][0]).replace("here", "there"))
        gates = other["variants"][0]["gates"]
        gates[:] = [each for each in gates if each["gate"] != "worst_class"]
        kept = next(each for each in gates if each["gate"] == "accuracy")
        counted(kept, 354, 236, 0)
        assert 0.5 < kept["lower"] < kept["upper"] < 0.95
        kept.update(limit=0.5)
        report["targets"].append(other)
        report["pipeline"]["legs"].append("there/onnx_runtime")
        report["pipeline"]["sha256"] = "0" * 64

    place.change_report(lower)
    assert place.certify("--artifact", place.model).returncode == 0
    done = verified(place, "limits: {accuracy: {retention: 0.95}, worst_class: {}}")
    assert done.returncode == 0, done.stderr


def test_the_documents_trust_file_is_one(place: Place) -> None:
    text = (
        (REPOSITORY / "docs/release.md")
        .read_text(encoding="utf-8")
        .partition("## Verify\n")[2]
        .partition("```yaml\n")[2]
        .partition("```")[0]
    )
    place.trust.write_text(text)
    found = read_trust(place.trust)
    assert (found.gates, found.max_age.days, found.require.min_examples) == (["accuracy", "worst_class", "speedup"], 30, 500)
    refused(place.verify(), "speedup nothing observed ≥ 2.00x is error here: its report holds no rounds to judge it by")
