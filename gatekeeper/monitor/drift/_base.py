"""What every test of drift shares. A test is a module of this folder; its file name is what findings call it. It has:

DESCRIPTION, ORDER       for people
ask(view) -> [Question]  what it asks of a look, each with a p-value where chance is in it

No test decides by itself: all questions of a look share the error that it may spend (gatekeeper/monitor/decide.py). One that
has no answer says why, and is never silent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, cast

from gatekeeper.registry import Registry

if TYPE_CHECKING:
    from gatekeeper.monitor.problems import Unread
    from gatekeeper.monitor.reference import Reference
    from gatekeeper.monitor.window import Window

REGISTRY = Registry("monitor.drift", ("DESCRIPTION", "ORDER", "ask"))
ENOUGH = 200
"""Values below which nothing is said of how they are spread: half a standard deviation is seen in about as many."""


@dataclass(frozen=True)
class Question:
    """Whether something is not as it was, or should be. `alert` is what it raises. `p_value` None: no chance is in it, and
    `matters` decides. `needs` is how many observations it takes to say that all is well; `unread` why there is no answer.
    """

    name: str
    test: str
    alert: str
    observed: float | None = None
    limit: float | None = None
    unit: str = "fraction"
    p_value: float | None = None
    matters: bool = False
    n: int = 0
    needs: int = 0
    unread: Unread | None = None
    over: float | None = None  # the share of what was counted that is over the limit, and the one that may be
    allowed: float | None = None


@dataclass(frozen=True)
class View:
    """What a look has to go by. `limits` are the configurations of the alerts that are on, by name; `labels` says that some are
    to come.
    """

    window: Window
    limits: Mapping[str, Any] = field(default_factory=dict)
    reference: Reference | None = None
    labels: bool = False


class Test(Protocol):
    """The shape of a test module."""

    DESCRIPTION: str
    ORDER: int

    @staticmethod
    def ask(view: View) -> list[Question]: ...


def in_order() -> list[tuple[str, Test]]:
    """All of them."""
    tests = [(name, cast(Test, REGISTRY.get(name))) for name in REGISTRY.names]
    return sorted(tests, key=lambda each: (each[1].ORDER, each[0]))
