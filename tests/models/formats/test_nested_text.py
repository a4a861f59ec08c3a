"""A model that also sees, as Gemma 3, has its language model's configuration in `text_config`: it is a language model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from kit.tiny_llm import VOCABULARY, write_tokenizer

from gatekeeper.frameworks import _transformers, apple_mlx
from gatekeeper.models.files import assess

TEXT = {
    "vocab_size": VOCABULARY, "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 6, "num_attention_heads": 4,
    "num_key_value_heads": 2, "head_dim": 16, "max_position_embeddings": 256, "bos_token_id": 0, "eos_token_id": 7,
    "pad_token_id": None, "sliding_window": 16,
    "rope_parameters": {
        "sliding_attention": {"rope_type": "default", "rope_theta": 100.0},
        "full_attention": {"rope_type": "default", "rope_theta": 3000.0},
    },
}  # fmt: skip
SIGHT = {
    "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 1, "num_attention_heads": 2, "image_size": 28,
    "patch_size": 14,
}  # fmt: skip


@pytest.fixture(scope="module")
def gemma(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import torch
    from transformers import Gemma3Config, Gemma3ForConditionalGeneration

    folder = tmp_path_factory.mktemp("gemma") / "model"
    torch.manual_seed(0)
    config = Gemma3Config(text_config=dict(TEXT), vision_config=dict(SIGHT), mm_tokens_per_image=4, image_token_index=500)
    Gemma3ForConditionalGeneration(config).save_pretrained(folder)
    write_tokenizer(folder)
    (folder / "generation_config.json").unlink(missing_ok=True)
    return folder


def test_it_is_assessed_by_the_part_that_writes(gemma: Path) -> None:
    found = assess(gemma)
    text = found.text
    assert text is not None and found.architecture == "transformer"
    assert (text.family, text.vocabulary, text.context, text.layers) == ("gemma3_text", VOCABULARY, 256, 6)
    assert (text.hidden, text.heads, text.kv_heads, text.head, text.end) == (64, 4, 2, 16, [7])
    assert text.row_lengths == [64, 128], "and not those of the part that sees, 32 and 48"
    assert found.outputs[0].shape[-1] == VOCABULARY


def test_its_reference_and_mlx_answer_as_transformers_own_class(gemma: Path) -> None:
    import torch
    from transformers import Gemma3ForConditionalGeneration

    tokens = np.random.default_rng(0).integers(0, 500, (1, 40))
    with torch.inference_mode():
        truth = Gemma3ForConditionalGeneration.from_pretrained(gemma, dtype=torch.float32).eval()(torch.from_numpy(tokens)).logits
    for module in (_transformers, apple_mlx):
        [found] = module.open_session(gemma, 1, "cpu").run({"tokens": tokens})
        np.testing.assert_allclose(found, truth.numpy(), atol=1e-5)


@pytest.mark.parametrize(
    ("changes", "writes"),
    [
        ({}, True),
        ({"architectures": ["CLIPModel"]}, False),
        ({"text_config": None}, False),
        ({"text_config": {"vocab_size": 5}}, False),
        ({"text_config": [1]}, False),
    ],
)
def test_others_of_that_name_are_none(gemma: Path, tmp_path: Path, changes: dict[str, Any], writes: bool) -> None:
    for file in gemma.iterdir():
        (tmp_path / file.name).symlink_to(file)
    (tmp_path / "config.json").unlink()
    (tmp_path / "config.json").write_text(json.dumps(json.loads((gemma / "config.json").read_text()) | changes))
    assert (assess(tmp_path).text is not None) is writes
