"""What `exclude` and its like mean: names of nodes, patterns of names, or operator types."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple

from gatekeeper.errors import nearest


class Node(NamedTuple):
    """What can be named of a node; one without a name goes by its outputs."""

    name: str
    operator: str
    outputs: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """What it may be called."""
        return (self.name,) if self.name else self.outputs


def matched(pattern: str, node: Node) -> bool:
    """Whether a pattern means a node: its operator, its very name, or a name with `*` and `?` for what is left open.

    A name is tried as it is first: names of nodes may have brackets and stars of their own. A name that several nodes have means
    all of them.
    """
    return pattern == node.operator or any(pattern == name or _open(pattern, name) for name in node.names)


def unmatched(patterns: Sequence[str], nodes: Iterable[Node], key: str = "exclude", what: str = "node") -> list[str]:
    """What is wrong with the patterns that mean no node, each with the nearest names."""
    known = list(nodes)
    lost = [pattern for pattern in patterns if not any(matched(pattern, node) for node in known)]
    if not lost:
        return []
    operators = sorted({node.operator for node in known})
    names = list(dict.fromkeys(name for node in known for name in node.names))
    few = ", ".join(names[:5]) + (" ..." if len(names) > 5 else "")
    return [
        f"{key} '{pattern}' matches no {what}{nearest(pattern, [*names, *operators]) or '.'} "
        f"The model has {', '.join(operators)}; {what}s are called {few}."
        for pattern in lost
    ]


def _open(pattern: str, name: str) -> bool:
    """`*` and `?` alone are open; brackets are letters."""
    return ("*" in pattern or "?" in pattern) and fnmatchcase(name, pattern.replace("[", "[[]"))
