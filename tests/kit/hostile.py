"""Strings that want out of the place they are put in, and reports that are full of them."""

from __future__ import annotations

import random
import typing
from collections.abc import Callable, Iterator
from enum import Enum
from functools import lru_cache
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")

FRAGMENTS = [
    # shell, workflow commands, outputs
    "$(touch x)", "`id`", "; rm -rf /", "&& id", "${{ github.token }}", "%0A", "%25", "::set-output name=x::y",
    "\n::error::x",
    "::stop-commands::t", "::add-mask::x", "##[error]x", "##[set-env name=PATH]x", "a##[command]x", ":::error::x",
    "\r::warning::y",
    "x<<ghadelimiter_\nverdict=pass\nghadelimiter_", "\nverdict=pass\n", "EOF\n", "=", "<<",
    # Markdown
    "|", "||", "\\|", "\\\\|", "a\\", "`", "``", "```", "\n```\n", "~~~", "\n~~~\n", "~~x~~", "**b**", "_i_", "__b__",
    "# h", "\n# h\n", "\n---\n",
    "\n===\n", "- x", "\n- [ ] x", "1. x", "+ x", "> q", "\n> [!WARNING]\n> x", "![x](http://e/x.png)",
    "[x](javascript:alert(1))", "[x][1]\n\n[1]: http://e",
    "[^1]\n\n[^1]: note", "<http://e>", "<a@b.example>", "http://e.example", "1http://e.example",
    "éhttps://e.example", "xftp://e.example",
    "www.e.example", "(www.e.example)", "*www.e.example", "mailto:a@b.example", "xmpp:a@b.example",
    "HTTPS://E.EXAMPLE", "$x$", "$$\\frac{}{}$$",
    "\n\n| a | b |\n| --- | --- |\n| c | d |\n\n", "    code", "\tcode", "&lt;", "&#64;x", "&#x3C;script&#x3E;",
    "\\<", "\\[x](y)", "- - -",
    # mentions and references
    "@x", "@org/team", "a@x", "(@x)", "_@x", "/@x", "#1", "x#1", "o/r#1", "GH-1", "gh-1", "@\u200bx", "&commat;x",
    "\uff20x",
    # HTML
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "<img src=x", "<svg/onload=x>", "<!-- c -->",
    "<!-- gatekeeper: x -->", "-->", "<!--",
    "</details>", "<details>", "</summary>", "</td></tr></table>", "<a href='http://e'>x</a>", "<sub>", "</sub>",
    "<![CDATA[x]]>", "]]>", "<?xml?>",
    "<!DOCTYPE x>", "<style>*{}</style>", "<iframe src=//e>", "<textarea>", "<plaintext>", "<b ", "'\"><b>",
    # mermaid
    '"]: [0, 0]\nclick a "http://e"', "%%{init: {}}%%", "\nquadrant-1 x", '";', "```mermaid\ngraph TD\n```",
    # characters
    "\x1b[31m", "\x1b]8;;http://e\x07x\x1b]8;;\x07", "\x9b31m", "\0", "\x07", "\x08", "\x7f", "\x85", "\u2028",
    "\u2029", "\ufffe", "\uffff", "\ud800", "\udfff",
    "\u202e", "\u2066", "\u200e", "\u061c", "\u200b", "\u2060", "\ufeff", "\u00ad", "\U000e0041", "\n", "\r", "\r\n",
    "\t", "\v", "\f", " ", "é", "日本", "👩‍👩‍👧",
    # SARIF, paths, formats
    "{0}", "{}", "[x](1)", "../../etc/passwd", "/etc/passwd:1", "C:\\x:1", "file:///etc/passwd", "%2e%2e/", "%s%n",
    "a:1:2", ":", ":0", "a//b", "x" * 300, "é" * 5000,
    "", "nan", "1e999", "null", "/", "//", ".", "..",
]  # fmt: skip


def strings(seed: int) -> Iterator[str]:
    """Endless: a fragment, several of them glued, or any characters at all."""
    draw = random.Random(seed)
    while True:
        kind = draw.random()
        if kind < 0.25:
            yield draw.choice(FRAGMENTS)
        elif kind < 0.85:
            yield "".join(draw.choice(FRAGMENTS) + draw.choice(["", "", " ", "x"]) for _ in range(draw.randint(2, 6)))
        else:
            yield "".join(
                chr(draw.choice([draw.randrange(128), draw.randrange(0x3000), draw.randrange(0x110000)])) for _ in range(20)
            )


@lru_cache
def _texts(record: type) -> frozenset[str]:
    """Fields of a record that hold text, alone or in a list or dictionary, and not one of a few words."""
    hints = typing.get_type_hints(record)
    return frozenset(name for name, hint in hints.items() if "Literal" not in str(hint) and not isinstance(hint, type(Enum)))


def filled(item: T, put: Callable[[str], str]) -> T:
    """The same report with every text in it replaced, wherever it is."""
    return typing.cast(T, _filled(item, put))


def _filled(item: Any, put: Callable[[str], str]) -> Any:
    if isinstance(item, Enum) or item is None:
        return item
    if isinstance(item, str):
        return put(item)
    if isinstance(item, msgspec.Struct):
        own = _texts(type(item))
        return type(item)(**{f: _filled(getattr(item, f), put) if f in own else getattr(item, f) for f in item.__struct_fields__})
    if isinstance(item, dict):
        return {_filled(key, put): _filled(value, put) for key, value in item.items()}
    if isinstance(item, list):
        return [_filled(value, put) for value in item]
    return item
