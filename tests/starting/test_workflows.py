"""The workflows of `gatekeeper init`: they say what a user's repository says, whatever its files are called."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from kit.certified import write_key

from gatekeeper.certificate.trust import read_trust
from gatekeeper.errors import UsageError
from gatekeeper.starting import workflows
from gatekeeper.starting.release import RELEASE, TRUST, release_text, trust_text
from gatekeeper.starting.workflows import (
    COMMENT,
    GATE,
    UNKNOWN,
    comment_text,
    find_action,
    gate_text,
    parse_action,
)

ACTION = "someone/gatekeeper@v1"
COMMIT = "0123456789" * 4


def git(folder: Path, *words: str) -> None:
    subprocess.run(["git", "-C", folder, *words], check=True, capture_output=True)


@pytest.mark.parametrize("name", ["p", "a b", "a: b", "a #b", "a$HOME", "q'", 'q"', "😀", "a\\b", "a;b"], ids=repr)
def test_a_file_of_any_name_is_named(name: str) -> None:
    for text in (gate_text(f"{name}.yaml", ACTION), release_text(f"{name}.yaml", ACTION)):
        assert yaml.safe_load(text)["jobs"]["gatekeeper"]["with"]["config"] == f"{name}.yaml"


def test_a_name_is_no_expression() -> None:
    config = yaml.safe_load(gate_text("a${{ github.token }}.yaml", ACTION))["jobs"]["gatekeeper"]["with"]["config"]
    assert config == "a${{ '${{' }} github.token }}.yaml"  # GitHub reads that as a${{ github.token }}.yaml


def test_it_is_asked_for_what_cannot_be_found_out() -> None:
    for text in (gate_text("p.yaml", UNKNOWN), comment_text(UNKNOWN), release_text("p.yaml", UNKNOWN)):
        assert text.count("CHANGE") == text.count("OWNER/gatekeeper") >= 1
        assert yaml.safe_load(text)
    assert "CHANGE" not in gate_text("p.yaml", ACTION)


@pytest.mark.parametrize("text", ["a", "a/b", "a/b@", "/b@v1", "a/b@v1; x", "a/b/c@v1", "https://github.com/a/b@v1", "a b/c@v1"])
def test_an_action_has_a_form(text: str) -> None:
    with pytest.raises(UsageError, match="OWNER/REPOSITORY@REF"):
        parse_action(text)
    assert parse_action(ACTION) == ACTION


@pytest.mark.parametrize(
    ("origin", "found"),
    [
        ({"url": "https://github.com/a/b", "vcs_info": {"vcs": "git", "commit_id": COMMIT}}, f"a/b@{COMMIT}"),
        ({"url": "ssh://git@github.com/a/b.git", "vcs_info": {"vcs": "git", "commit_id": COMMIT}}, f"a/b@{COMMIT}"),
        ({"url": "https://example.com/a/b", "vcs_info": {"vcs": "git", "commit_id": COMMIT}}, None),
        ({"url": "file:///nowhere", "dir_info": {}}, None),
        ({}, None),
    ],
)
def test_the_action_is_where_this_installation_came_from(
    monkeypatch: pytest.MonkeyPatch, origin: dict[str, object], found: str | None
) -> None:
    installed = SimpleNamespace(read_text=lambda name: json.dumps(origin) if name == "direct_url.json" else None)
    monkeypatch.setattr(workflows.metadata, "distribution", lambda name: installed)
    assert find_action() == found


def test_a_checkout_knows_its_repository(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    git(tmp_path, "remote", "add", "origin", "git@github.com:a/b.git")
    (tmp_path / "action.yml").touch()
    git(tmp_path, "add", "-A")
    git(tmp_path, "-c", "user.name=n", "-c", "user.email=e@example.com", "commit", "-qm", "x")
    text = json.dumps({"url": tmp_path.as_uri(), "dir_info": {"editable": True}})
    monkeypatch.setattr(workflows.metadata, "distribution", lambda name: SimpleNamespace(read_text=lambda file: text))
    found = find_action()
    assert found is not None and found.startswith("a/b@") and len(found) == 44


def test_init_finds_the_branch_lfs_and_what_git_ignores(tmp_path: Path, gatekeeper: Callable) -> None:
    from cli.test_cli_init import datasets, save

    git(tmp_path, "init", "-q", "-b", "trunk")
    (tmp_path / ".gitattributes").write_text("*.onnx filter=lfs diff=lfs merge=lfs -text\n")
    (tmp_path / ".gitignore").write_text("*.onnx\n")
    save(tmp_path / "model.onnx")
    datasets(tmp_path)
    result = gatekeeper("init", "--action", ACTION, "--forks", "--release")
    assert result.returncode == 0, result.stderr
    assert "git ignores model.onnx" in result.stdout and "model-artifact" in result.stdout
    gate = yaml.safe_load((tmp_path / GATE).read_text())
    assert gate[True]["push"] == {"branches": ["trunk"]}  # `on` is a truth value to YAML 1.1
    assert gate["jobs"]["gatekeeper"]["with"]["lfs"] is True
    assert "comment-mode" in gate["jobs"]["gatekeeper"]["with"]
    assert gate["jobs"]["gatekeeper"]["uses"] == "someone/gatekeeper/.github/workflows/gate.yml@v1"
    assert (tmp_path / COMMENT).exists() and (tmp_path / RELEASE).exists()
    assert (tmp_path / TRUST).read_text() == trust_text()


def test_a_release_is_added_to_what_is_there_and_takes_nothing_away(tmp_path: Path, gatekeeper: Callable) -> None:
    from cli.test_cli_init import datasets, save

    git(tmp_path, "init", "-q")
    save(tmp_path / "models/model.onnx")
    datasets(tmp_path / "models")
    folder = tmp_path / "models"
    assert gatekeeper("init", "--action", ACTION, cwd=folder).returncode == 0
    before = {file: file.read_text() for file in tmp_path.rglob("*.y*ml")}
    assert len(before) == 2
    result = gatekeeper("init", "--action", ACTION, "--release", cwd=folder)
    assert result.returncode == 0, result.stderr
    assert "kept edge_ai_pipeline.yaml" in result.stdout
    assert {file: file.read_text() for file in before} == before
    written = yaml.safe_load((tmp_path / RELEASE).read_text())
    assert written["jobs"]["gatekeeper"]["with"]["config"] == "models/edge_ai_pipeline.yaml"
    assert written["jobs"]["publish"]["steps"][2]["with"]["trust"] == "models/gatekeeper-trust.yaml"
    assert (folder / TRUST).exists()
    again = gatekeeper("init", "--action", ACTION, "--release", cwd=folder)
    assert again.returncode == 2 and "gatekeeper-release.yml: exists already" in again.stderr
    (folder / TRUST).write_text("mine")
    assert gatekeeper("init", "--action", ACTION, "--release", "--force", cwd=folder).returncode == 0
    assert (folder / TRUST).read_text() == "mine", "whom somebody trusts is never overwritten"


def test_the_trust_file_is_one_but_for_its_key(tmp_path: Path) -> None:
    file = tmp_path / TRUST
    file.write_text(trust_text())
    with pytest.raises(UsageError, match="cannot be read"):
        read_trust(file)
    write_key(tmp_path)
    trust = read_trust(file)
    assert trust.gates == ["accuracy"] and [signer.name for signer in trust.signers] == ["releases"]
    whole = trust_text().replace("# datasets", "datasets").replace("# revoked", "revoked").replace("  # speedup", "  speedup")
    file.write_text(whole.replace("  # memory", "  memory"))
    assert set(read_trust(file).limits) == {"accuracy", "speedup", "memory"}, "what is commented out is right, too"


def test_init_says_what_to_complete(tmp_path: Path, gatekeeper: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    from cli.test_cli_init import save

    save(tmp_path / "model.onnx")
    result = gatekeeper("init", "--action", "nonsense")
    assert result.returncode == 2 and "OWNER/REPOSITORY@REF" in result.stderr
    assert not (tmp_path / GATE).exists()


def test_a_branch_of_ones_own_is_not_the_base(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "-b", "main")
    git(tmp_path, "-c", "user.name=n", "-c", "user.email=e@example.com", "commit", "-qm", "x", "--allow-empty")
    git(tmp_path, "switch", "-qc", "feature")
    assert workflows.default_branch(tmp_path) == "main"


def test_in_a_folder_of_a_repository_the_workflow_is_where_github_looks(tmp_path: Path, gatekeeper: Callable) -> None:
    from cli.test_cli_init import save

    git(tmp_path, "init", "-q")
    save(tmp_path / "models/a/model.onnx")
    result = gatekeeper("init", "--action", ACTION, cwd=tmp_path / "models/a")
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "models/a/edge_ai_pipeline.yaml").exists()
    config = yaml.safe_load((tmp_path / GATE).read_text())["jobs"]["gatekeeper"]["with"]["config"]
    assert config == "models/a/edge_ai_pipeline.yaml"
