"""What every strategy shares. A strategy is a module of this folder; its file name is what `deployment.strategy` says. It has:

DESCRIPTION       one sentence, for the reference
GRADUAL           green's share of the traffic in percent, step by step, where `traffic_ramping` is gradual
IMMEDIATE         the same where it is immediate: one step

Each step ends by evidence. No step gives green everything: blue keeps a part, so that there is something to compare with, and
green is given the rest when the last step is passed. A step of 0 is judged on questions that both colours are asked beside the
traffic.
"""

from __future__ import annotations

from typing import Literal, Protocol, cast

from gatekeeper.registry import Registry

STRATEGIES = Registry("deploy.strategies", needs=("DESCRIPTION", "GRADUAL", "IMMEDIATE"))

Ramping = Literal["gradual", "immediate"]


class Strategy(Protocol):
    """The shape of a strategy module."""

    DESCRIPTION: str
    GRADUAL: tuple[int, ...]
    IMMEDIATE: tuple[int, ...]


def strategy(name: str) -> Strategy:
    """The strategy of that name."""
    return cast(Strategy, STRATEGIES.get(name))


def steps(name: str, ramping: Ramping) -> tuple[int, ...]:
    """Green's shares in percent, step by step."""
    chosen = strategy(name)
    return chosen.GRADUAL if ramping == "gradual" else chosen.IMMEDIATE
