"""A Llama small enough for a unit test, with a tokenizer of its own: random weights, real everything else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

TEXT = (
    "The quick brown fox jumps over the lazy dog. Pack my box with five dozen liquor jugs. "
    "def main(path: str) -> int:\n    return len(open(path).read())\n"
    "How vexingly quick daft zebras jump! Grüße aus Köln: 20 °C, 3 € für Äpfel.\n"
)
VOCABULARY = 512


def write_tokenizer(folder: Path, vocabulary: int = VOCABULARY) -> None:
    """A byte-level BPE tokenizer.json, trained on `TEXT`."""
    from tokenizers import ByteLevelBPETokenizer

    tokenizer = ByteLevelBPETokenizer()
    tokenizer.train_from_iterator([TEXT] * 4, vocabulary, min_frequency=1, special_tokens=["<|end|>"], show_progress=False)
    # Fewer merges than asked for are possible; the model's vocabulary must then be larger than the tokenizer's.
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "<|end|>", "bos_token": "<|end|>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))


def write_llama(folder: Path, family: str = "llama", dtype: str = "float32", seed: int = 0, **changes: Any) -> Path:
    """A Hugging Face folder; `changes` go to the family's configuration class. Rows are multiples of 256 by default."""
    import torch
    from transformers import CONFIG_MAPPING, AutoModelForCausalLM

    folder.mkdir(parents=True, exist_ok=True)
    write_tokenizer(folder)
    config = {
        "vocab_size": VOCABULARY,
        "hidden_size": 256,
        "intermediate_size": 512,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 64,
        "max_position_embeddings": 256,
        "bos_token_id": 0,
        "eos_token_id": 0,
        "pad_token_id": None,
    }
    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_config(CONFIG_MAPPING[family](**(config | changes)))
    model.to(getattr(torch, dtype)).save_pretrained(folder)
    return folder
