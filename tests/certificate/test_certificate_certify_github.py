"""What is certified on GitHub Actions: what measures the repository itself, on a ref that is protected."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from kit.certified import Place, refused
from kit.github_job import JOB


@pytest.fixture(autouse=True)
def _none_before(place: Place) -> None:
    place.certificate.unlink()


def test_on_github_it_says_where_it_was_made(place: Place) -> None:
    place.change_report(lambda report: report.update(commit="a" * 40))
    done = place.certify(env=JOB)
    assert done.returncode == 0, done.stderr
    assert place.payload()["predicate"]["origin"] == {
        "repository": "octo/models",
        "workflow": "octo/models/.github/workflows/release.yml@refs/heads/main",
        "ref": "refs/heads/main",
        "commit": "a" * 40,
        "run": "https://github.com/octo/models/actions/runs/42",
        "runner": "github-hosted Linux X64",
    }
    asked = "--repo octo/models --predicate-type urn:edge-gatekeeper:certificate:v1"
    workflow = "--signer-workflow octo/models/.github/workflows/release.yml --source-ref refs/heads/main"
    assert f"{asked} {workflow}\n" in place.verify().stdout


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"GITHUB_EVENT_NAME": "pull_request"}, "its code is only proposed"),
        ({"GITHUB_EVENT_NAME": "pull_request_target"}, "its code is only proposed"),
        ({"GITHUB_EVENT_NAME": "merge_group"}, "its code is only proposed"),
        *(
            ({"GITHUB_EVENT_NAME": name}, f"of the event {name}, and may hold what a stranger wrote")
            for name in ("workflow_run", "issue_comment", "issues", "repository_dispatch", "discussion", "Push", "none_yet")
        ),
        ({"GITHUB_EVENT_NAME": ""}, "of an event that it does not name"),
        ({"GITHUB_REF_PROTECTED": "false"}, "refs/heads/main is not protected"),
        ({"GITHUB_REF_PROTECTED": ""}, "refs/heads/main is not protected"),
        ({"GITHUB_SHA": "b" * 40}, "this run is of bbbbbbbbbbbb"),
    ],
)
def test_on_github_not_for_what_is_proposed_or_of_another_commit(place: Place, changed: dict[str, str], said: str) -> None:
    place.change_report(lambda report: report.update(commit="a" * 40))
    refused(place.certify(env=JOB | changed), said)
    assert not place.certificate.exists()


@pytest.mark.parametrize("event", ["push", "schedule", "workflow_dispatch", "release"])
def test_on_github_what_measures_the_repository_itself_certifies(place: Place, event: str) -> None:
    place.change_report(lambda report: report.update(commit="a" * 40))
    done = place.certify(env=JOB | {"GITHUB_EVENT_NAME": event})
    assert done.returncode == 0, done.stderr


def test_several_targets_are_certified_one_by_one(place: Place) -> None:
    def doubled(report: dict[str, Any]) -> None:
        text = json.dumps(report["targets"][0])
        report["targets"].append(json.loads(text.replace("here", "there")))
        report["pipeline"]["legs"].append("there/onnx_runtime")
        report["pipeline"]["sha256"] = "0" * 64

    place.change_report(doubled)
    refused(place.certify(), "it selects 2 artifacts: here/onnx_runtime/int8_dynamic, there/", code=2)
    assert place.certify("--artifact", Path("out/artifacts") / place.model.name).returncode == 0
    assert place.payload()["predicate"]["variant"] == "here/onnx_runtime/int8_dynamic"
    assert place.verify().returncode == 0
