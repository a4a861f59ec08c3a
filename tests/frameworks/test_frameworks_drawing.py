"""Every framework that writes text lets each token be chosen by who asks, of the scores that it has for the next."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from kit.tiny_llm import VOCABULARY, write_llama

from gatekeeper.evaluate.text.tokenizer import open_tokenizer
from gatekeeper.frameworks._base import ORIGINAL, REGISTRY, OptimizeJob, converts, framework, whole

PROMPT = np.arange(40, 60)
NAMES = [name for name in REGISTRY.builtin if framework(name).supports("huggingface", "cpu") is None]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_llama(tmp_path_factory.mktemp("drawing") / "model", intermediate_size=768)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "microsoft_olive"])  # runs in ONNX Runtime's session
def test_a_token_is_what_the_caller_makes_of_the_scores(folder: Path, tmp_path: Path, name: str) -> None:
    artifact, module = folder, framework(name)
    if converts(name, "huggingface"):
        artifact = tmp_path
        job = OptimizeJob(
            source=folder, destination=tmp_path, technique=ORIGINAL, device="cpu", vnni=False, calibration=None
        )  # fmt: skip
        module.optimize(job)
    session: Any = module.open_session(artifact, 1, "cpu")
    seen: list[Any] = []

    def second(scores: Any) -> int:
        """The token that is second likeliest."""
        seen.append(np.array(scores[:VOCABULARY], np.float64))
        return int(np.argsort(seen[-1])[-2])

    written = list(session.generate({"tokens": PROMPT, "new_tokens": 5, "choose": second}))
    [logits] = session.run({"tokens": np.array([[*PROMPT, *written]])})
    for i, token in enumerate(written):
        expected = logits[0, len(PROMPT) - 1 + i, :VOCABULARY]
        gap = (seen[i] - seen[i].mean()) - (expected - expected.mean())
        assert np.abs(gap).max() < 0.02 and token == np.argsort(seen[i])[-2], i
    assert list(session.generate({"tokens": PROMPT, "new_tokens": 5})) != written


def test_a_tokenizer_says_what_its_template_adds(folder: Path) -> None:
    tokenizer = open_tokenizer(folder, "")
    assert (tokenizer.before, tokenizer.after) == ([], []) and whole(tokenizer, "a") == tokenizer.encode("a")
