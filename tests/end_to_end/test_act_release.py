"""A release as `gatekeeper init --release` writes it: certified in one job, verified in another, published only then.

act runs the real workflow but for its first job: what that measures is ready. `gh`, which publishes, is a program that writes
down what it was given: nothing of it is there where nothing was published.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import stat
from base64 import b64decode, b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from kit.act_world import ACTION, Run, World, index
from kit.certified import certified, write_key
from kit.github_api import StandIn
from kit.once import Once
from kit.support import write_project

from gatekeeper.certificate.signing import signed, signer_of
from gatekeeper.starting.release import TRUST, release_text, trust_text

pytestmark = [pytest.mark.timeout(1200)]

WORKFLOW = "gatekeeper-release.yml"
RUN = 1
"""The number that act gives every run."""
GH = """\
#!/bin/sh
[ "$1 $2" != "release view" ] || exit 1
mkdir -p "{published}"
for word in "$@"; do
  echo "$word" >> "{published}/words"
  [ ! -f "$word" ] || cp "$word" "{published}"
done
"""


@pytest.fixture(scope="module", autouse=True)
def package_index() -> None:
    if reason := index():
        pytest.skip(f"uv cannot reach a package index: {reason}")


def without(job: str, text: str) -> str:
    """The workflow without one of its jobs: whoever needed it does not wait for it."""
    less, count = re.subn(rf"^  {job}:\n(?:    .*\n|\n)+", "", text, flags=re.MULTILINE)
    assert count == 1
    return less.replace(f"    needs: {job}\n", "")


class Releasing:
    """A repository with the release's workflow, a key, a trust file and what was measured, ready to be certified."""

    def __init__(self, root: Path, api: StandIn, once: Once):
        self.world, self.published = World(root / "world", api), root / "published"
        self.world.programs.mkdir()
        gh = self.world.programs / "gh"
        gh.write_text(GH.format(published=self.published))
        gh.chmod(gh.stat().st_mode | stat.S_IXUSR)
        file = self.world.repository / ".github/workflows" / WORKFLOW
        file.parent.mkdir(parents=True)
        text = release_text("edge_ai_pipeline.yaml", ACTION)
        file.write_text(
            re.sub(r"  gatekeeper:\n.*?(?=\n  #)", "", text, count=1, flags=re.DOTALL).replace("    needs: gatekeeper\n", "")
        )
        self.key = write_key(self.world.repository)
        self.secret = self.key.read_text()
        self.key.unlink()
        self.place = certified(once, root / "made")
        self.place.certificate.unlink()
        shutil.copy2(self.place.folder / "pipeline.yaml", self.world.repository / "edge_ai_pipeline.yaml")
        self.trust(trust_text())
        api.state.runs.append({"id": RUN, "branch": "v1", "event": "push", "conclusion": "", "repository_id": 1, "sha": "c" * 40})
        api.approve(RUN, "release", "mona", comment="ship it")

    def trust(self, text: str) -> None:
        (self.world.repository / TRUST).write_text(text)
        self.sha = self.world.commit()

    def upload(self) -> None:
        """What the jobs before left: the merged report, and the models of the leg."""
        self.place.change_report(lambda report: report.update(commit=self.sha))
        made = self.world.artifacts
        shutil.copytree(self.place.folder / "out/artifacts", made / "gatekeeper-models-here.onnx_runtime")
        shutil.copytree(self.place.folder / "out", made / "gatekeeper-report", ignore=shutil.ignore_patterns("artifacts"))

    def run(self, **more: str) -> Run:
        payload = {"ref": "refs/tags/v1", "repository": self.world.pull_request(self.sha)["repository"]}
        protected = {"GITHUB_REF_PROTECTED": "true"} | more
        return self.world.act("push", payload, WORKFLOW, secrets={"GATEKEEPER_KEY": self.secret}, **protected)

    @property
    def artifact(self) -> Path:
        """What one job hands to the other."""
        return self.world.artifacts / "gatekeeper-certified"

    def again(self, change: Callable[[Path], None]) -> Run:
        """The second job alone, after somebody has changed what the first one left for it."""
        change(self.artifact)
        file = self.world.repository / ".github/workflows" / WORKFLOW
        text = file.read_text()
        file.write_text(
            re.sub(r"  # A job of its own.*?(?=\n  publish:)", "", text, flags=re.DOTALL).replace("    needs: certify\n", "")
        )
        self.sha = self.world.commit()
        shutil.rmtree(self.published, ignore_errors=True)
        return self.run()


@pytest.fixture
def releasing(tmp_path: Path, api: StandIn, once: Once) -> Releasing:
    found = Releasing(tmp_path, api, once)
    found.upload()
    return found


def results(run: Run) -> dict[str, str]:
    return {name.rpartition("/")[2]: job.result for name, job in run.jobs.items()}


def published(releasing: Releasing) -> dict[str, bytes]:
    """What `gh` was given; nothing where it was not called."""
    folder = releasing.published
    return {file.name: file.read_bytes() for file in folder.iterdir()} if folder.exists() else {}


def only_the_release_fails(releasing: Releasing, run: Run, *said: str) -> None:
    """It was certified, and is not published: the step that publishes was not reached."""
    assert run.code != 0
    assert results(run) == {"publish": "failure"}, run.text
    assert published(releasing) == {}
    for words in said:
        assert run.said(words), run.text
    assert "Traceback" not in run.text


def test_what_is_certified_in_one_job_is_verified_in_another_and_published(releasing: Releasing) -> None:
    """And where it was tampered with between the two, it is not."""
    run = releasing.run()
    assert run.code == 0, run.text
    assert results(run) == {"certify": "success", "publish": "success"}
    assert run.said(r"approved by: mona \(approved, release\)")
    assert run.said("trusted: signed by releases")
    assert run.said("gh attestation verify .* --predicate-type .* --signer-workflow")
    assert releasing.secret.splitlines()[1] not in run.text
    sent, model = published(releasing), releasing.place.model
    assert sent.pop("words").decode().splitlines()[:4] == ["release", "create", "v1", "--verify-tag"]
    ships = model.name + (".tar.gz" if model.is_dir() else "")
    assert sorted(sent) == sorted(["report.json", "certificate.json", "certificate.cdx.json", ships])
    assert sent["certificate.json"] == (releasing.artifact / "certificate.json").read_bytes()
    stated = json.loads(b64decode(json.loads(sent["certificate.json"])["payload"]))["predicate"]
    assert stated["report"] == hashlib.sha256(sent["report.json"]).hexdigest()
    assert stated["bom"] == hashlib.sha256(sent["certificate.cdx.json"]).hexdigest()
    assert (stated["commit"], stated["origin"]["ref"]) == (releasing.sha, "refs/tags/v1")
    assert [each["user"] for each in stated["approvals"]] == ["mona"]

    only_the_release_fails(releasing, releasing.again(other_weights), "onnx is not the file that was certified")


def model_file(folder: Path) -> Path:
    return next(folder.rglob("*.onnx"))


def other_weights(folder: Path) -> None:
    """One bit of the model."""
    data = bytearray(model_file(folder).read_bytes())
    data[-1] ^= 1
    model_file(folder).write_bytes(data)


def gate_out_of_the_report(folder: Path) -> None:
    report = json.loads((folder / "report.json").read_text())
    gates = report["targets"][0]["variants"][0]["gates"]
    gates[:] = [each for each in gates if each["gate"] != "accuracy"]
    (folder / "report.json").write_text(json.dumps(report))


def edited(folder: Path, edit: Callable[[list[dict[str, Any]]], None]) -> None:
    """The gates that the certificate states, edited where they stand."""
    envelope = json.loads((folder / "certificate.json").read_text())
    statement = json.loads(b64decode(envelope["payload"]))
    edit(statement["predicate"]["gates"])
    envelope["payload"] = b64encode(json.dumps(statement).encode()).decode()
    (folder / "certificate.json").write_text(json.dumps(envelope, sort_keys=True) + "\n")


def gate_out_of_the_certificate(folder: Path) -> None:
    edited(folder, lambda gates: gates.__delitem__(0))


def lower_limits_in_the_certificate(folder: Path) -> None:
    edited(folder, lambda gates: [each.update(limit=0.1) for each in gates].clear())


def no_certificate(folder: Path) -> None:
    (folder / "certificate.json").unlink()


def trust_of_its_own(folder: Path) -> None:
    """A key pair of somebody's, its public half in the release, and a certificate by it: nothing there says who is trusted."""
    key = write_key(folder, name="theirs")
    shutil.copy2(folder / "theirs.pub", folder / "release.pub")
    (folder / TRUST).write_text(trust_text())
    payload = b64decode(json.loads((folder / "certificate.json").read_text())["payload"])
    (folder / "certificate.json").write_bytes(signed(payload, signer_of(key)))


@pytest.mark.thorough
def test_whatever_was_changed_between_the_jobs_stops_the_release(releasing: Releasing) -> None:
    assert releasing.run().code == 0
    made = releasing.artifact.with_name("made")
    shutil.copytree(releasing.artifact, made)
    for change, said in {
        gate_out_of_the_report: "report.json: is not the report that .* certifies",
        gate_out_of_the_certificate: "its signature",
        lower_limits_in_the_certificate: "its signature",
        no_certificate: r"there is no certificate\.json in it",
        trust_of_its_own: "is not by a signer of the trust file",
    }.items():
        shutil.rmtree(releasing.artifact)
        shutil.copytree(made, releasing.artifact)
        only_the_release_fails(releasing, releasing.again(change), said)
    shutil.rmtree(releasing.artifact)
    shutil.copytree(made, releasing.artifact)
    assert releasing.again(lambda folder: None).code == 0, "it was the changes"
    assert published(releasing)


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("weaker", "said"),
    [
        ({"retention: 0.95": "retention: 1.0"}, "accuracy .* is (fail|inconclusive) here"),
        ({"gates: [accuracy]": "gates: [accuracy, energy]"}, "energy is required here"),
        ({"min_examples: 59": "min_examples: 5000"}, "it rests on 600 distinct examples, and 5000 are required here"),
    ],
)
def test_a_policy_weaker_than_the_trust_file_stops_the_release(releasing: Releasing, weaker: dict[str, str], said: str) -> None:
    """The pipeline file's own limits were held: it is certified. Here more is asked."""
    text = trust_text()
    for before, after in weaker.items():
        assert before in text
        text = text.replace(before, after)
    releasing.trust(text)
    shutil.rmtree(releasing.world.artifacts)
    releasing.upload()
    run = releasing.run()
    assert results(run) == {"certify": "success", "publish": "failure"}, run.text
    assert run.said(said) and published(releasing) == {}


@pytest.mark.thorough
def test_a_gate_that_was_taken_out_before_it_was_certified_is_missed(releasing: Releasing) -> None:
    gate_out_of_the_report(releasing.world.artifacts / "gatekeeper-report")
    run = releasing.run()
    assert results(run) == {"certify": "success", "publish": "failure"}, run.text
    assert run.said("accuracy is required here, and was not judged") and published(releasing) == {}


def slower(folder: Path) -> None:
    """What was observed is worse than what the verdict says."""
    report = json.loads((folder / "report.json").read_text())
    for each in report["targets"][0]["variants"][0]["gates"]:
        if each["gate"] == "accuracy":
            each.update(observed=0.5, lower=0.4, upper=0.6)
    (folder / "report.json").write_text(json.dumps(report))


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("way", "said"),
    [
        ("unprotected", "refs/tags/v1 is not protected"),
        ("no key", "there is no key to sign with"),
        ("another commit", "the report is of the commit"),
        ("judged again", "judged again it is fail"),
        ("another model", "is not what was measured"),
    ],
)
def test_what_is_not_certified_is_not_published(releasing: Releasing, way: str, said: str) -> None:
    variables = {}
    if way == "unprotected":
        variables["GITHUB_REF_PROTECTED"] = "false"
    if way == "no key":
        releasing.secret = ""
    if way == "another commit":
        releasing.sha = releasing.world.commit()
    if way == "judged again":
        slower(releasing.world.artifacts / "gatekeeper-report")
    if way == "another model":
        other_weights(releasing.world.artifacts / "gatekeeper-models-here.onnx_runtime")
    run = releasing.run(**variables)
    assert run.code != 0 and results(run)["certify"] == "failure", run.text
    assert run.said(said), run.text
    assert published(releasing) == {} and not releasing.artifact.exists()


@pytest.mark.thorough
def test_on_a_machine_of_ones_own_nothing_of_a_cache_is_installed(releasing: Releasing) -> None:
    """uv's cache there is what any job may have written: nothing of it is read, nor anything added."""
    poisoned = releasing.world.root / "poisoned"
    poisoned.mkdir()
    run = releasing.run(RUNNER_ENVIRONMENT="self-hosted", UV_CACHE_DIR=str(poisoned))
    assert results(run) == {"certify": "success", "publish": "success"}, run.text
    assert not list(poisoned.iterdir())


@pytest.mark.thorough
def test_the_whole_way_from_a_tag_to_what_is_published(releasing: Releasing) -> None:
    """Measured by the reusable workflow, too: what it merges and uploads is what can be certified."""
    world = releasing.world
    shutil.rmtree(world.artifacts)
    file = write_project(world.repository, "int8_dynamic", "onnx_runtime", timed=False)
    file.write_text(
        file.read_text().replace("name: here, hardware: cpu", "name: here, hardware: cpu, runs_on: [self-hosted, edge-box]")
    )
    (world.repository / ".github/workflows" / WORKFLOW).write_text(release_text("pipeline.yaml", ACTION))
    releasing.sha = world.commit()
    run = releasing.run()
    assert run.code == 0, run.text
    found = {name.rpartition("/")[2].rstrip("-0123456789"): job.result for name, job in run.jobs.items()}
    assert {"plan", "verdict", "certify", "publish"} <= found.keys() and set(found.values()) == {"success"}, found
    sent = published(releasing)
    [model] = [name for name in sent if name.endswith((".onnx", ".tar.gz"))]
    stated = json.loads(b64decode(json.loads(sent["certificate.json"])["payload"]))
    assert stated["predicate"]["commit"] == releasing.sha
    assert [each["digest"]["sha256"] for each in stated["subject"]] == [hashlib.sha256(sent[model]).hexdigest()]
