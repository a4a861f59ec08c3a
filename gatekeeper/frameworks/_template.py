"""What comes with the tokenizer of a Hugging Face folder: what it puts around a text, and what makes a text of a conversation.

Read as transformers reads it. `add_bos_token` and `add_eos_token` of tokenizer_config.json say nothing where there is a
tokenizer.json: its post-processor says it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from gatekeeper.errors import NotMeasured
from gatekeeper.frameworks._base import ChatTemplate

_PROBE = "a"
_CONFIG, _SPECIAL, _CHAT, _OLDER = "tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja", "chat_template.json"


def around(library: Any) -> tuple[list[int], list[int]]:
    """The ids before and after every text, of a tokenizer of the library `tokenizers`."""
    read = library.encode(_PROBE)
    marks = list(read.special_tokens_mask)
    first = marks.index(0) if 0 in marks else len(marks)
    last = len(marks) - marks[::-1].index(0) if 0 in marks else len(marks)
    return list(read.ids[:first]), list(read.ids[last:])


def chat_of_folder(folder: Path) -> ChatTemplate | None:
    """The template of conversations: a file of its own, else that of the tokenizer's configuration; of several the default."""
    config = _read(folder / _CONFIG)
    given: Any = config.get("chat_template")
    if (folder / _OLDER).is_file():
        given = _read(folder / _OLDER).get("chat_template", given)
    if (folder / _CHAT).is_file():
        given = (folder / _CHAT).read_text(encoding="utf-8")
    if isinstance(given, list):
        given = {each.get("name"): each.get("template") for each in given if isinstance(each, dict)}
    if isinstance(given, dict):
        given = given.get("default")
    if not isinstance(given, str):
        return None
    named = _read(folder / _SPECIAL) | config
    found = {name: value.get("content") if isinstance(value, dict) else value for name, value in named.items()}
    tokens = {name: value for name, value in found.items() if name.endswith("_token") and isinstance(value, str)}
    return ChatTemplate(given, tokens)


def _read(file: Path) -> dict[str, Any]:
    """A JSON object; an empty one where there is no such file."""
    if not file.is_file():
        return {}
    try:
        read = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise NotMeasured("model", f"{file.name} cannot be read: {error}. Save the tokenizer again.") from None
    return read if isinstance(read, dict) else {}
