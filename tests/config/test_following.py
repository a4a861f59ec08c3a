"""A pipeline file that is not at the base of a change under its name follows the one of its model, or is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from kit.hand_built import commit, git
from kit.support import write_model

from gatekeeper.config.base import Base, Checkout, Commit, content_at
from gatekeeper.config.following import OfModel, check_not_another, followed
from gatekeeper.config.load import load
from gatekeeper.config.policy import chosen_policy, policy_notes
from gatekeeper.data.content import content
from gatekeeper.errors import UsageError

TEXT = """\
edge_ai_pipeline:
  stages: [model_validation, optimization]
  model: {{path: {model}, task: tabular_classification}}
  targets: [{{name: here, hardware: cpu, threads: 1}}]
  optimization: {{frameworks: [onnx_runtime], techniques: {{onnx_runtime: [fp16, int8_dynamic]}}}}
  measure: {{max_rounds: 8, blocks: 2, block_ms: 5}}
  gates: {{speedup: {{min: {speedup}}}{more}}}
"""


def pipeline(folder: Path, name: str, model: str, speedup: float = 50, more: str = "") -> Path:
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(TEXT.format(model=model, speedup=speedup, more=more))
    return file


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Two models, each with a pipeline file, one in a folder."""
    folder = tmp_path / "clone"
    (folder / "models/other").mkdir(parents=True)
    write_model(folder / "models/strict.onnx")
    write_model(folder / "models/other/lax.onnx", seed=1)
    pipeline(folder, "strict.yaml", "models/strict.onnx")
    pipeline(folder, "models/lax.yaml", "other/lax.onnx", 0.01)
    (folder / "workflow.yml").write_text("on: push\njobs: {a: {with: {config: edge_ai_pipeline.yaml}}}\n")
    commit(folder, ".")
    return folder


def by_commit(folder: Path) -> Base:
    return Commit(folder, git(folder, "rev-parse", "main"), "main")


def by_folder(folder: Path) -> Base:
    other = folder.parent / "base"
    git(folder, "worktree", "add", "-q", str(other), "main", "--detach")
    return Checkout(other)


BASES = pytest.mark.parametrize("base_of", [by_commit, by_folder])
STRICT = OfModel("models/strict.onnx")


@BASES
@pytest.mark.parametrize("name", ["new.yaml", "models/lax2.yaml", "deep/in/here.yaml"])
def test_a_file_of_a_model_that_is_known_is_held_to_the_file_there(
    repository: Path, base_of: Callable[[Path], Base], name: str
) -> None:
    assert followed(base_of(repository), name, STRICT) == "strict.yaml"


@BASES
def test_a_model_that_was_moved_is_found_by_its_content(repository: Path, base_of: Callable[[Path], Base]) -> None:
    moved = OfModel("elsewhere/m.onnx", content(repository / "models/other/lax.onnx"))
    assert followed(base_of(repository), "new.yaml", moved) == "models/lax.yaml"


@BASES
def test_a_model_in_git_lfs_is_found_by_its_oid(repository: Path, base_of: Callable[[Path], Base]) -> None:
    model = repository / "models/strict.onnx"
    sha256 = content(model)
    model.write_text(f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize 12345\n")
    commit(repository, ".")
    assert followed(base_of(repository), "new.yaml", OfModel("m.onnx", sha256)) == "strict.yaml"


def test_a_renamed_file_is_the_old_one_whatever_model_it_now_has(repository: Path) -> None:
    git(repository, "mv", "strict.yaml", "renamed.yaml")
    pipeline(repository, "renamed.yaml", "models/quite_new.onnx")
    assert followed(by_commit(repository), "renamed.yaml", OfModel("models/quite_new.onnx", "0" * 64)) == "strict.yaml"


def test_a_lax_file_that_is_renamed_and_given_a_strict_model_is_refused(repository: Path) -> None:
    git(repository, "mv", "models/lax.yaml", "models/renamed.yaml")
    with pytest.raises(UsageError, match=r"may be any of strict.yaml, models/lax.yaml there"):
        followed(by_commit(repository), "models/renamed.yaml", STRICT)


@BASES
def test_a_model_that_nobody_knows_is_refused_unless_the_base_says_otherwise(
    repository: Path, base_of: Callable[[Path], Base]
) -> None:
    base = base_of(repository)
    for unknown in (OfModel("models/third.onnx", "0" * 64), OfModel()):
        with pytest.raises(
            UsageError, match=r"none of the pipeline files there \(models/lax.yaml, strict.yaml\) is of the model"
        ):
            followed(base, "new.yaml", unknown)


@pytest.mark.parametrize(
    ("one", "other", "known", "unknown"),
    [
        ("", ", new_files: own", "strict.yaml", None),
        (", new_files: own", ", new_files: held", "strict.yaml", "refused"),
        (", new_files: refused", ", new_files: own", "refused", "refused"),
        (", new_files: yes-please", "", "refused", "refused"),
    ],
)
def test_the_strictest_that_the_base_says_holds(repository: Path, one: str, other: str, known: str, unknown: str | None) -> None:
    pipeline(repository, "strict.yaml", "models/strict.onnx", more=one)
    pipeline(repository, "models/lax.yaml", "other/lax.onnx", more=other)
    commit(repository, ".")
    # What the change says of new files is not asked.
    pipeline(repository, "strict.yaml", "models/strict.onnx", more=", new_files: own")
    for model, expected in ((STRICT, known), (OfModel("models/third.onnx"), unknown)):
        if expected == "refused":
            with pytest.raises(UsageError, match=r"new.yaml is not at main"):
                followed(by_commit(repository), "new.yaml", model)
        else:
            assert followed(by_commit(repository), "new.yaml", model) == expected


def test_of_two_files_of_one_model_none_is_guessed(repository: Path) -> None:
    pipeline(repository, "lenient.yaml", "models/strict.onnx", 0.01)
    commit(repository, ".")
    with pytest.raises(UsageError, match=r"may be any of lenient.yaml, strict.yaml there"):
        followed(by_commit(repository), "new.yaml", STRICT)


def test_the_first_pipeline_file_of_all_has_its_own_limits(tmp_path: Path) -> None:
    (tmp_path / "readme.yml").write_text("edge_ai_pipeline: soon\n")
    commit(tmp_path, ".")
    write_model(tmp_path / "m.onnx")
    file = pipeline(tmp_path, "p.yaml", "m.onnx")
    policy = chosen_policy(file, "main", None, tmp_path / "m.onnx")
    assert policy is not None
    assert (policy.limits, policy.sha256) == (None, "")


def test_a_lax_file_cannot_take_a_strict_model(repository: Path) -> None:
    base = by_commit(repository)
    check_not_another(base, "models/lax.yaml", OfModel("models/other/lax.onnx"))
    check_not_another(base, "models/lax.yaml", OfModel("models/quite_new.onnx"))
    check_not_another(base, "strict.yaml", STRICT)
    with pytest.raises(
        UsageError, match=r"is of models/other/lax.onnx at main, and here of models/strict.onnx, which strict.yaml"
    ):
        check_not_another(base, "models/lax.yaml", STRICT)


def test_the_policy_says_whose_limits_they_are(repository: Path) -> None:
    git(repository, "mv", "strict.yaml", "moved.yaml")
    file = pipeline(repository, "moved.yaml", "models/strict.onnx", 0.01)
    (repository / "gatekeeper-waivers.yml").write_text("waivers: []\n")
    policy = chosen_policy(file, "main", None, repository / "models/strict.onnx")
    assert policy is not None
    assert policy.limits is not None
    assert (policy.file, policy.moved, policy.waivers) == ("strict.yaml", True, None)
    loaded = load(file)
    [said, *_] = policy_notes(replace(loaded, policy=policy))
    assert "is held to strict.yaml there, which is of the same model" in said


@BASES
def test_a_folder_has_one_digest_wherever_it_is_read(repository: Path, base_of: Callable[[Path], Base]) -> None:
    for name in ("b/one.png", "a/two.png", "labels.csv"):
        (repository / "data/set" / name).parent.mkdir(parents=True, exist_ok=True)
        (repository / "data/set" / name).write_bytes(name.encode() * 1000)
    (repository / "data/boxes.json").write_text("{}")
    commit(repository, ".")
    base = base_of(repository)
    for beside in (None, "boxes.json", "labels.csv", "none.json"):
        assert content_at(base, "data/set", beside) == content(repository / "data/set", beside)
    assert content_at(base, "data/boxes.json") == content(repository / "data/boxes.json")
    assert content_at(base, "data/gone.npz") == ""
    assert content(repository / "data/set") != content(repository / "data/set", "boxes.json")
