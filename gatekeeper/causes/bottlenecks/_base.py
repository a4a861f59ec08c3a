"""Bottlenecks: what a model's speed is limited by. A bottleneck is a module of this folder; its file name is its name. It has:

DESCRIPTION   what it means, with its limit
ORDER         a number: of several that are found the one with the smallest explains most
find(seen)    -> Bottleneck, with what it rests on; `unknown`, with the reason, where that was not measured, or not well

It measures nothing and imports nothing heavy: reports ask it, too.
"""

from __future__ import annotations

from typing import Protocol, cast

from gatekeeper.causes.seen import Seen
from gatekeeper.records.explained import Bottleneck
from gatekeeper.registry import Registry

REGISTRY = Registry("causes.bottlenecks", ("DESCRIPTION", "ORDER", "find"))


class Kind(Protocol):
    """The shape of a module of this folder."""

    DESCRIPTION: str
    ORDER: int

    @staticmethod
    def find(seen: Seen) -> Bottleneck: ...


def bottlenecks(seen: Seen) -> list[Bottleneck]:
    """Every bottleneck there is, found or not, the one that explains most first."""
    kinds = [cast(Kind, REGISTRY.get(name)) for name in REGISTRY.names]
    return [kind.find(seen) for kind in sorted(kinds, key=lambda kind: kind.ORDER)]


def unknown(name: str, reason: str) -> Bottleneck:
    """One that nothing tells of."""
    return Bottleneck(name=name, found="unknown", reason=reason)
