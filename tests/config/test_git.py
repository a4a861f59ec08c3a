"""Files at another commit, from real repositories."""

from __future__ import annotations

from pathlib import Path

import pytest
from kit.hand_built import commit, git

from gatekeeper.config.git import commit_of, read_at
from gatekeeper.errors import UsageError


def test_a_file_is_read_as_it_was(tmp_path: Path) -> None:
    folder = tmp_path / "repo" / "deep er"
    folder.mkdir(parents=True)
    (folder / "p ü.yaml").write_bytes(b"old\r\n\xff")
    first = commit(tmp_path / "repo", ".")
    (folder / "p ü.yaml").write_bytes(b"new")
    commit(tmp_path / "repo", ".")
    git(folder, "tag", "v1", first)
    for ref in ("v1", first, first[:10], "HEAD~1", "main^"):
        assert commit_of(folder, ref) == first
    assert read_at(folder, first, "p ü.yaml") == b"old\r\n\xff"
    assert read_at(folder, first, "none.yaml") is None
    assert read_at(folder, commit_of(folder, "main"), "p ü.yaml") == b"new"
    assert (folder / "p ü.yaml").read_bytes() == b"new"


def test_a_branch_that_only_origin_has_is_found_as_a_checkout_in_ci_has_it(tmp_path: Path) -> None:
    origin = tmp_path / "origin"
    origin.mkdir()
    (origin / "p.yaml").write_text("base")
    base = commit(origin, "p.yaml")
    git(origin, "checkout", "-q", "-b", "topic")
    (origin / "p.yaml").write_text("topic")
    topic = commit(origin, "p.yaml")
    clone = tmp_path / "clone"
    clone.mkdir()
    git(clone, "init", "-q")
    git(clone, "remote", "add", "origin", origin.as_uri())
    git(clone, "fetch", "-q", "--depth=1", "origin", topic)
    git(clone, "checkout", "-q", topic)
    with pytest.raises(
        UsageError, match=r"'main' is not in this clone. Run `git fetch --depth=1 origin main:refs/remotes/origin/main` fi"
    ):
        commit_of(clone, "main")
    git(clone, "fetch", "-q", "--depth=1", "origin", "main:refs/remotes/origin/main")
    assert commit_of(clone, "main") == base
    assert read_at(clone, base, "p.yaml") == b"base"


@pytest.mark.parametrize("ref", ["main", "origin/main", "refs/heads/main", "HEAD~1", "main~1", "v1", "sha"])
def test_the_command_that_is_named_makes_a_ref_known(ref: str, tmp_path: Path) -> None:
    """Typed as it stands, in a clone of one branch that holds its last commit only."""
    origin = tmp_path / "origin"
    origin.mkdir()
    commits = []
    for text in ("one", "two", "three"):
        (origin / "p.yaml").write_text(text)
        if text == "three":
            git(origin, "checkout", "-q", "-b", "topic")
        commits.append(commit(origin, "p.yaml"))
        if text == "one":
            git(origin, "tag", "v1")
    git(origin, "config", "uploadpack.allowAnySHA1InWant", "true")
    git(tmp_path, "clone", "-q", "--depth=1", "--no-tags", "-b", "topic", origin.as_uri(), "clone")
    clone = tmp_path / "clone"
    ref, wanted = (commits[0], commits[0]) if ref == "sha" else (ref, commits[0] if ref in ("main~1", "v1") else commits[1])
    with pytest.raises(UsageError) as caught:
        commit_of(clone, ref)
    remedy = str(caught.value).split("`")[1]
    git(clone, *remedy.split()[1:])
    assert commit_of(clone, ref) == wanted


@pytest.mark.parametrize(
    "ref",
    ["", "-x", "--output=x", "--upload-pack=touch x", "a b", "a\nb", "$(id)", "main:p.yaml", "a;b", "\x1b[31m", "../..", "a..b"],
)
def test_what_is_no_ref_is_refused(tmp_path: Path, ref: str) -> None:
    (tmp_path / "p.yaml").write_text("x")
    commit(tmp_path, "p.yaml")
    with pytest.raises(UsageError, match=r"cannot be a git ref|not in this clone"):
        commit_of(tmp_path, ref)
    assert sorted(p.name for p in tmp_path.iterdir()) == [".git", "p.yaml"]


def test_outside_of_a_repository_and_without_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(UsageError, match=r"not in a git repository.* Run it in a clone"):
        commit_of(tmp_path, "main")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match="git is not installed"):
        commit_of(tmp_path, "main")


def test_a_folder_of_that_name_is_said_to_be_none(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").mkdir()
    (tmp_path / "p.yaml" / "x").write_text("x")
    with pytest.raises(UsageError, match=r"p\.yaml cannot be read at"):
        read_at(tmp_path, commit(tmp_path, "."), "p.yaml")
