"""A text model is held against its reference: a conversion that changes the answers is an error, not a baseline."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from kit.tiny_llm import TEXT, write_llama

from gatekeeper.config.load import load
from gatekeeper.errors import NotMeasured
from gatekeeper.evaluate.evaluation import Evaluation
from gatekeeper.evaluate.same import hold as holding
from gatekeeper.evaluate.same.standing import Standing
from gatekeeper.frameworks._base import ORIGINAL
from gatekeeper.making.cache import Cache
from gatekeeper.making.optimize import source_of
from gatekeeper.making.workspace import Workspace, workspace
from gatekeeper.models.files import assess, digest_files

NAME = "llama_cpp"


@pytest.fixture
def space(tmp_path: Path) -> Iterator[Workspace]:
    (tmp_path / "eval.txt").write_text(TEXT * 6)
    file = tmp_path / "p.yaml"
    file.write_text("edge_ai_pipeline: {model: {path: model}, dataset: {path: eval.txt, window: 32}}\n")
    write_llama(tmp_path / "model")
    with workspace(Cache(tmp_path / "cache"), load(file).pipeline.measure) as found:
        yield found


def converted(space: Workspace, folder: Path) -> tuple[Evaluation, tuple[Path, str]]:
    """An evaluation of the folder's model, and a model in the framework's own form."""
    found = assess(folder / "model")
    identity = digest_files([Path(f) for f in found.files])
    source = source_of(space, NAME, "cpu", folder / "model", found.format, identity)
    return Evaluation(space, load(folder / "p.yaml"), found, identity, (NAME,)), source.baseline()


def held(found: Evaluation, original: tuple[Path, str], dataset: Path | None) -> Standing:
    artifact, identity = original
    return holding.hold(found, found.spec(NAME, artifact, 1, "cpu"), identity, dataset)


@pytest.mark.thorough
def test_a_faithful_conversion_says_how_faithful(space: Workspace, tmp_path: Path) -> None:
    found, original = converted(space, tmp_path)
    dataset = found.prepared()
    assert dataset is not None
    said = held(found, original, dataset).said
    kl = re.fullmatch(
        r"the converted model answers as the original: KL (\S+) from transformers, same top token at (\S+)% .*", said
    )
    assert kl and float(kl[1]) < 1e-6 and float(kl[2]) > 98, said


def test_a_conversion_that_changes_the_answers_is_an_error(space: Workspace, tmp_path: Path) -> None:
    """Another model's weights, as a converter that permutes rows wrongly would give."""
    found, _ = converted(space, tmp_path)
    dataset = found.prepared()
    other = tmp_path / "other"
    write_llama(other / "model", seed=1)
    (other / "p.yaml").write_text((tmp_path / "p.yaml").read_text())
    (other / "eval.txt").write_text(TEXT * 6)
    _, wrong = converted(space, other)
    assert dataset is not None
    with pytest.raises(NotMeasured, match=rf"conversion for {NAME} changes the model's answers"):
        held(found, wrong, dataset)


def test_a_conversion_nobody_can_check_says_so(space: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found, original = converted(space, tmp_path)
    dataset = found.prepared()
    monkeypatch.setattr(holding, "missing_packages", lambda name, model_format: "torch is not installed. Install it")
    assert dataset is not None
    said = "its baseline was not held against transformers: torch is not installed. Install it"
    assert held(found, original, dataset) == Standing(said, False)
    assert held(found, original, None).said == "its baseline was not held against transformers: there is no evaluation set"


def test_the_conversion_is_made_once_for_all_techniques(space: Workspace, tmp_path: Path) -> None:
    converted(space, tmp_path)
    [made] = (tmp_path / "cache/artifacts").iterdir()
    before = made.stat().st_mtime_ns
    converted(space, tmp_path)
    assert [p.stat().st_mtime_ns for p in (tmp_path / "cache/artifacts").iterdir()] == [before]
    assert ORIGINAL == "original"
