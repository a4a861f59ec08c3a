"""XML 1.0 as text: a large report has tens of thousands of elements, which a tree of objects makes slow."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_MARKUP = re.compile(r'[&<>"\t\n\r]')


def element(name: str, attributes: Mapping[str, str], content: str = "") -> str:
    """An element whose attributes are texts, and whose content is XML."""
    start = name + "".join([f' {key}="{escaped(value)}"' for key, value in attributes.items()])
    return f"<{start}>{content}</{name}>" if content else f"<{start}/>"


@lru_cache(maxsize=4096)
def escaped(text: str) -> str:
    """A text as content or attribute: only characters that XML allows, and none of them markup."""
    shown = text if text.isprintable() else _NOT_XML.sub("\ufffd", text)
    return _MARKUP.sub(lambda match: f"&#{ord(match[0])};", shown)
