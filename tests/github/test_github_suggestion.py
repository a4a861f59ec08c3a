"""A repair in a pull request: as a suggestion where GitHub takes one, else as a diff alone."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from kit.github_api import REPOSITORY, TOKEN, StandIn
from kit.github_reviews import Pull, ReviewedStandIn
from kit.sample_reports import two_targets as a_report

from gatekeeper.github.context import read_event
from gatekeeper.github.publish import REPAIR, show
from gatekeeper.github.suggestion import suggest, within_diff
from gatekeeper.records.base import Verdict
from gatekeeper.records.gates import GateResult
from gatekeeper.records.repaired import REPAIR_SCHEMA, Edit, Repair
from gatekeeper.repair.text import diff, edited, stretch
from gatekeeper.reports._repair import markdown

FILE = "edge_ai_pipeline.yaml"
OLD = """\
edge_ai_pipeline:
  model: {path: m.onnx}
  # a
  # b
  # c
  optimization: {techniques: {onnx_runtime: [int8_static]}}
  gates: {speedup: {min: 2}}
"""
EDITS = [Edit(path=("optimization", "techniques", "onnx_runtime", 0, "int8_static", "equalize"), value=True)]
NEW = edited(OLD, FILE, EDITS)
WHERE = stretch(OLD, NEW)
TOUCHED = "@@ -5,3 +5,3 @@\n   # c\n-  optimization: {}\n+  optimization: {techniques: ...}\n   gates: {}"
ELSEWHERE = "@@ -1,2 +1,2 @@ edge\n edge_ai_pipeline:\n-  model: {path: n.onnx}\n+  model: {path: m.onnx}"


def found(**changes: Any) -> Repair:
    accuracy = GateResult(
        gate="accuracy", verdict=Verdict.PASS, observed=0.997, lower=0.99, upper=1.0, limit=0.95, unit="fraction"
    )
    values: dict[str, Any] = {
        "schema": REPAIR_SCHEMA, "outcome": "repaired", "file": FILE, "file_sha256": hashlib.sha256(OLD.encode()).hexdigest(),
        "model_sha256": "m", "version": "0", "patch": diff(OLD, NEW, FILE), "remedy": "equalization", "variant": "x",
        "first_line": WHERE.first, "last_line": WHERE.last, "replacement": WHERE.replacement, "edits": EDITS, "gates": [accuracy],
    }  # fmt: skip
    return Repair(**(values | changes))


def made(edits: list[Edit], **more: Any) -> Repair:
    """Of these edits."""
    new = edited(OLD, FILE, edits)
    where = stretch(OLD, new)
    told = {"patch": diff(OLD, new, FILE), "edits": edits, "replacement": where.replacement}
    return found(**told, first_line=where.first, last_line=where.last, **more)


def lie() -> list[Repair]:
    """What a leg may leave: limits that are looser, a patch or a line of its own beside honest edits, or none at all."""
    loose = made([Edit(path=("gates", "speedup", "min"), value=1)])
    return [
        loose,
        msgspec.structs.replace(loose, edits=EDITS),
        found(replacement=loose.replacement),
        found(patch=loose.patch),
        msgspec.structs.replace(loose, edits=[]),
        made([Edit(path=("model", "path"), value="other.onnx")]),
    ]


def pull(patch: str = TOUCHED, content: str = OLD) -> Pull:
    return Pull(7, {FILE: content.encode()}, {FILE: patch, "README.md": "@@ -1 +1 @@\n-a\n+b"})


def environ(folder: Path, github: StandIn, **more: str) -> dict[str, str]:
    event = folder / "event.json"
    sides = {side: {"sha": "a" * 40, "ref": ref, "repo": {"id": 1}} for side, ref in (("head", "topic"), ("base", "main"))}
    event.write_text(json.dumps({"pull_request": {"number": 7, **sides}, "repository": {"id": 1}}))
    return {
        "GITHUB_EVENT_NAME": "pull_request", "GITHUB_EVENT_PATH": str(event), "GITHUB_REPOSITORY": REPOSITORY, "TOKEN": TOKEN,
        "GITHUB_API_URL": github.url, "GITHUB_SERVER_URL": "https://github.com", "GITHUB_SHA": "a" * 40,
        "COMMENT_ID": "gatekeeper",
    } | more  # fmt: skip


def suggested(folder: Path, github: StandIn, repair: Repair) -> Any:
    return suggest(read_event(environ(folder, github)), TOKEN, repair, "gatekeeper")


def test_a_line_of_the_diff_gets_a_suggestion_that_is_the_new_file(tmp_path: Path) -> None:
    with ReviewedStandIn(pull()) as github:
        done = suggested(tmp_path, github, found())
        assert (done.warning, done.url != "") == ("", True)
        [comment] = github.pulled.comments
        assert (comment["path"], comment["line"], comment["side"], "start_line" in comment) == (FILE, 6, "RIGHT", False)
        inner = comment["body"].partition("```suggestion\n")[2].partition("\n```")[0]
        lines = OLD.splitlines()
        assert [*lines[:5], inner, *lines[6:]] == NEW.splitlines()
        assert github.violations == []


def test_once_more_it_stays_as_it_is_and_a_new_one_takes_its_place(tmp_path: Path) -> None:
    with ReviewedStandIn(pull()) as github:
        first = suggested(tmp_path, github, found())
        assert suggested(tmp_path, github, found()).url == first.url
        assert len(github.pulled.comments) == 1
        suggested(tmp_path, github, made([Edit(path=(*EDITS[0].path[:-1], "per_channel"), value=False)]))
        [comment] = github.pulled.comments
        assert "per_channel: false" in comment["body"]
        assert suggested(tmp_path, github, found(outcome="no", first_line=0)).url == ""
        assert github.pulled.comments == []
        assert github.violations == []


@pytest.mark.parametrize(
    ("at", "repair"),
    [
        (pull(ELSEWHERE), found()),
        (pull(""), found()),
        (pull(content=OLD.replace("# a", "# another")), found()),
        (pull(), found(first_line=0, last_line=0)),
        (pull(), found(last_line=40)),
    ],
    ids=["another hunk", "no diff", "another file", "several stretches", "beyond the hunk"],
)
def test_where_it_would_be_refused_nothing_is_asked_for(tmp_path: Path, at: Pull, repair: Repair) -> None:
    with ReviewedStandIn(at) as github:
        done = suggested(tmp_path, github, repair)
        assert (done.url, done.warning, done.reason != "") == ("", "", True)
        assert github.writes() == []
        assert github.violations == []


def test_what_goes_wrong_is_a_warning(tmp_path: Path) -> None:
    with ReviewedStandIn(pull()) as github:
        github.state.accounts[TOKEN].writes = False
        done = suggested(tmp_path, github, found())
        assert "There is no suggestion at the line" in done.warning
        assert "pull-requests: write" in done.warning


def test_the_comment_has_the_diff_and_says_of_the_suggestion(tmp_path: Path) -> None:
    report = a_report()
    report = msgspec.structs.replace(report, pipeline=msgspec.structs.replace(report.pipeline, sha256=found().file_sha256))
    own = found(model_sha256=report.model.sha256)
    place = tmp_path / "out" / REPAIR
    place.parent.mkdir(parents=True)
    place.write_bytes(msgspec.json.encode(own))
    (tmp_path / FILE).write_text(OLD)
    with ReviewedStandIn(pull()) as github:
        more = {"OUTPUT": str(tmp_path / "out"), "GITHUB_WORKSPACE": str(tmp_path)}
        show(environ(tmp_path, github, **more), report, "", "always", quiet=False)
        [body] = github.bodies()
    assert own.patch.strip() in body
    assert "suggested at its line, too" in body


@pytest.mark.parametrize("number", range(len(lie())))
def test_what_no_remedy_may_change_is_not_offered(tmp_path: Path, number: int) -> None:
    """A leg runs a pull request's code, and its repair.json may be that code's: limits stay what they are."""
    whole = TOUCHED.replace("@@ -5,3 +5,3 @@", "@@ -1,7 +1,7 @@\n edge_ai_pipeline:\n   model: x\n   # a\n   # b")
    report = a_report()
    report = msgspec.structs.replace(report, pipeline=msgspec.structs.replace(report.pipeline, sha256=found().file_sha256))
    own = msgspec.structs.replace(lie()[number], model_sha256=report.model.sha256)
    place = tmp_path / "out" / REPAIR
    place.parent.mkdir(parents=True)
    place.write_bytes(msgspec.json.encode(own))
    (tmp_path / FILE).write_text(OLD)
    with ReviewedStandIn(pull(whole)) as github:
        assert suggested(tmp_path, github, own).url == ""
        more = {"OUTPUT": str(tmp_path / "out"), "GITHUB_WORKSPACE": str(tmp_path)}
        show(environ(tmp_path, github, **more), report, "", "always", quiet=False)
        [body] = github.bodies()
        assert github.pulled.comments == []
    assert "A change that passes" not in body


def test_a_repair_of_another_file_or_model_is_not_shown(tmp_path: Path) -> None:
    report, place = a_report(), tmp_path / "out" / REPAIR
    place.parent.mkdir(parents=True)
    place.write_bytes(msgspec.json.encode(found()))
    with ReviewedStandIn(pull()) as github:
        show(environ(tmp_path, github, OUTPUT=str(tmp_path / "out")), report, "", "always", quiet=False)
        [body] = github.bodies()
        assert github.pulled.comments == []
    assert "A change that passes" not in body


def test_nothing_of_a_file_is_live_in_the_comment() -> None:
    evil = found(
        patch="--- a/p\n+++ b/p\n@@ -1 +1 @@\n-a\n+```\n+</details> @everyone ![x](http://e.vil)\n",
        variant="`x` @all",
    )
    text = markdown(evil)
    fence = text.partition("diff\n")[0].rpartition("\n")[2]
    assert len(fence) > 3
    assert text.count(fence) == 2
    assert text.count("@all") == text.count("`'x' @all`") == 1  # in a span of code it is no mention


def test_lines_of_one_hunk_only() -> None:
    two = "@@ -1,2 +1,3 @@\n a\n+b\n c\n@@ -10 +11 @@\n-d\n+e"
    assert [within_diff(two, *lines) for lines in [(1, 3), (2, 4), (11, 11), (3, 11), (12, 12)]] == [
        True,
        False,
        True,
        False,
        False,
    ]
