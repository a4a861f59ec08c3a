"""A Llama small enough for a unit test, with a tokenizer of its own: random weights, real everything else."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

TEXT = (
    "The quick brown fox jumps over the lazy dog. Pack my box with five dozen liquor jugs. "
    "def main(path: str) -> int:\n    return len(open(path).read())\n"
    "How vexingly quick daft zebras jump! Grüße aus Köln: 20 °C, 3 € für Äpfel.\n"
)
VOCABULARY = 512
TRAINING, WINDOW = 60, 32


WORDS = {
    "A": ["quick", "brown", "lazy", "daft", "small", "green", "old", "wise"],
    "N": ["fox", "dog", "zebra", "wizard", "judge", "boxer", "sphinx", "quartz"],
    "V": ["jumps", "runs", "sits", "sleeps", "looks"],
    "P": ["over", "under", "beside", "behind"],
}


def sentences(count: int, seed: int) -> str:
    """Sentences of one form and few words: what a small model learns in seconds, and no window of which is like another."""
    generator = random.Random(seed)
    form = ["the", "A", "N", "V", "P", "the", "A", "N"]
    return "".join(f"{' '.join(generator.choice(WORDS.get(word, [word])) for word in form)}.\n" for _ in range(count))


def write_tokenizer(folder: Path, vocabulary: int = VOCABULARY, text: str = TEXT) -> None:
    """A byte-level BPE tokenizer.json, trained on `text`."""
    from tokenizers import ByteLevelBPETokenizer

    tokenizer = ByteLevelBPETokenizer()
    tokenizer.train_from_iterator([text] * 4, vocabulary, min_frequency=1, special_tokens=["<|end|>"], show_progress=False)
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


def write_trained(folder: Path) -> Path:
    """A Hugging Face folder, model/, that has learned `sentences`, and eval.txt beside it; some seconds of one core.

    Its feed-forward layers are wider than its vocabulary is large, which confuses onnxruntime-genai's model builder otherwise.
    """
    import torch
    from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

    write_llama(folder / "model", intermediate_size=768)
    write_tokenizer(folder / "model", text=sentences(100, seed=1))
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(folder / "model/tokenizer.json"))
    tokens = torch.tensor(tokenizer.encode(sentences(1000, seed=1)))
    model = AutoModelForCausalLM.from_pretrained(folder / "model", dtype=torch.float32)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    for _ in range(TRAINING):
        starts = torch.randint(len(tokens) - WINDOW, (8,))
        batch = torch.stack([tokens[start : start + WINDOW] for start in starts])
        model(input_ids=batch, labels=batch).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    model.save_pretrained(folder / "model")
    (folder / "eval.txt").write_text(sentences(200, seed=2))
    return folder
