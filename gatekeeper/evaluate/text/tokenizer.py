"""The one tokenizer of a model: every framework gets the token ids that this gives."""

from __future__ import annotations

import unicodedata
from pathlib import Path
from typing import Any

from gatekeeper.errors import NotMeasured
from gatekeeper.frameworks._base import ChatTemplate, Tokenizer, framework
from gatekeeper.frameworks._template import around, chat_of_folder

SHOWN = 40


class HuggingFaceTokenizer:
    """A tokenizer of the library `tokenizers`."""

    def __init__(self, library: Any, chat: ChatTemplate | None):
        self._library, self.chat = library, chat
        self._library.no_truncation()
        self._library.no_padding()
        self.before, self.after = around(library)

    def encode(self, text: str) -> list[int]:
        """Token ids, without those that its template adds."""
        return list(self._library.encode(text, add_special_tokens=False).ids)

    def decode(self, ids: list[int]) -> str:
        """The text of token ids, special tokens included."""
        return str(self._library.decode(ids, skip_special_tokens=False))


def open_tokenizer(model: Path, name: str) -> Tokenizer:
    """The tokenizer of a model: a folder's own file, or what the framework `name`, else transformers, reads from the model."""
    if model.is_dir():
        return HuggingFaceTokenizer(_of_folder(model), chat_of_folder(model))
    module = framework(name)
    if not hasattr(module, "open_tokenizer"):
        return _of_gguf(model)
    tokenizer: Tokenizer = module.open_tokenizer(model)
    return tokenizer


def _of_folder(folder: Path) -> Any:
    from tokenizers import Tokenizer as Library

    try:
        return Library.from_file(str(folder / "tokenizer.json"))
    except Exception as error:  # the library raises its own Exception class
        reason = " ".join(str(error).split())
        raise NotMeasured(
            "model", f"{folder}/tokenizer.json: cannot be read ({reason}). Save it again with tokenizer.save_pretrained()."
        ) from None


def _of_gguf(model: Path) -> HuggingFaceTokenizer:
    from transformers import AutoTokenizer

    try:
        found = AutoTokenizer.from_pretrained(str(model.parent), gguf_file=model.name, local_files_only=True)
    except Exception as error:  # whatever a header makes transformers raise
        reason = " ".join(str(error).split())[:300]
        raise NotMeasured(
            "unsupported",
            f"transformers cannot read the tokenizer of {model.name} ({reason}). Add the framework llama_cpp, or give a Hugging "
            "Face folder.",
        ) from None
    named = {name: str(token) for name, token in found.special_tokens_map.items() if isinstance(token, str)}
    chat = ChatTemplate(found.chat_template, named) if isinstance(found.chat_template, str) else None
    return HuggingFaceTokenizer(found.backend_tokenizer, chat)


def check_round_trip(tokenizer: Tokenizer, text: str, ids: list[int], vocabulary: int, source: str) -> None:
    """`NotMeasured` if tokens lose what they stand for, or the model does not know them.

    White space and the way accents are written may change: common tokenizers do that on purpose.
    """
    if vocabulary and ids and max(ids) >= vocabulary:
        raise NotMeasured(
            "model",
            f"the tokenizer gives the id {max(ids)}, and the model knows {vocabulary} tokens. They do not belong together.",
        )
    wanted, decoded = _essence(text), _essence(tokenizer.decode(ids))
    if wanted == decoded:
        return
    at = next((i for i, (a, b) in enumerate(zip(wanted, decoded, strict=False)) if a != b), min(len(wanted), len(decoded)))
    before, after = wanted[max(0, at - 10) : at + SHOWN], decoded[max(0, at - 10) : at + SHOWN]
    raise NotMeasured(
        "model",
        f"the tokenizer does not round-trip: {before!r} of {source} comes back as {after!r}. Use the tokenizer the model was "
        "trained with, or text in characters it knows.",
    )


def _essence(text: str) -> str:
    return "".join(unicodedata.normalize("NFKC", text).split())
