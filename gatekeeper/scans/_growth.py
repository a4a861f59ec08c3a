"""What a chat template makes of little, told without rendering anything: by an upper bound of every expression in it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gatekeeper.scans._sizes import NotKnown, Sizes, kind_of, method
from gatekeeper.scans._vocabulary import SAME_FILTERS, SAME_METHODS

MOST_GROWN = 1_000_000
"""Characters, elements or turns that a template may make of nothing; the longest of real ones have a few thousand."""

MOST_WRITTEN = 100 * MOST_GROWN
"""Of macros that call macros, and loops in loops: their sizes are upper bounds of upper bounds."""


def grown(tree: Any) -> Iterator[str]:
    """What grows beyond what any real template makes; raises `NotKnown` behind those where something has no bound."""
    sizes = Sizes(tree)
    unknown: list[str] = []
    yield from _grown(tree, 1, sizes, unknown)
    if unknown:
        raise NotKnown("; ".join(dict.fromkeys(unknown))[:300])


def _grown(node: Any, turns: int, sizes: Sizes, unknown: list[str]) -> Iterator[str]:
    for child in node.iter_child_nodes():
        inner = turns
        try:
            if _grows(child):
                size = sizes.of(child)
                macro = kind_of(child) == "Call" and getattr(child.node, "name", "") in sizes.macros
                most = MOST_WRITTEN if macro else MOST_GROWN
                if size > most or size * turns > MOST_WRITTEN:
                    yield f"line {child.lineno}: {_told(child)} makes more than {most:,} of what it is given"
                    continue
            elif kind_of(child) == "For":
                inner = turns * max(1, sizes.turns(child.iter))
                if inner > MOST_WRITTEN:
                    yield f"line {child.lineno}: more than {MOST_WRITTEN:,} turns of loops"
                    continue
        except NotKnown as error:
            unknown.append(f"line {child.lineno}: {error}")
        yield from _grown(child, inner, sizes, unknown)


def _grows(node: Any) -> bool:
    """Whether it may make more than it is given, or is not known; what only passes something large on is not told of again."""
    if kind_of(node) == "Filter":
        return node.name == "map" or node.name not in SAME_FILTERS
    if kind_of(node) == "Call":
        return kind_of(node.node) == "Name" or method(node) not in SAME_METHODS
    return kind_of(node) in _SIGNS


_SIGNS = {"Mul": "a repetition", "Pow": "a power", "Mod": "a format", "Concat": "a text put together", "Add": "a sum"}


def _told(node: Any) -> str:
    if kind_of(node) == "Filter":
        return f"|{node.name}"
    if kind_of(node) == "Call":
        return f"{method(node) or getattr(node.node, 'name', 'a call')}()"
    return _SIGNS[kind_of(node)]
