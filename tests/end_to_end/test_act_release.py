"""A release as `gatekeeper init --release` writes it: certified in one job, verified in another, published only then.

act runs the real workflow but for its first job: what that measures is ready. `gh`, which publishes, is a program that writes
down what it was given: nothing of it is there where nothing was published.
"""

from __future__ import annotations

import re
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from kit.act_world import ACTION, Run, World, index
from kit.certified import certified, write_key
from kit.github_api import StandIn
from kit.once import Once

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
        self.trust(trust_text())
        self.place = certified(once, root / "made")
        self.place.certificate.unlink()
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


def test_what_is_certified_in_one_job_is_verified_in_another_and_published(releasing: Releasing) -> None:
    run = releasing.run()
    assert run.code == 0, run.text
    assert results(run) == {"certify": "success", "publish": "success"}
    assert run.said(r"approved by: mona \(approved, release\)")
    assert run.said("trusted: signed by releases")
    assert run.said("gh attestation verify .* --predicate-type .* --signer-workflow")
    words = (releasing.published / "words").read_text().splitlines()
    assert words[:4] == ["release", "create", "v1", "--verify-tag"]
    model = releasing.place.model
    published = {file.name: file.read_bytes() for file in releasing.published.iterdir() if file.name != "words"}
    assert {name for name in published if not name.endswith(".tar.gz")} >= {"report.json", "certificate.json"}
    if model.is_file():
        assert published[model.name] == model.read_bytes()
    assert releasing.secret.splitlines()[1] not in run.text
