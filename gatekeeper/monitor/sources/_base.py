"""What every source shares. A source is a module of this folder; its file name is the key of `monitoring` that names it. It has:

DESCRIPTION                what it is, for the reference
read(asked) -> Window      what was counted in the window that ends now; raises `Unread` where nothing can be read

Whatever it reads, a source gives the series of gatekeeper/monitor/window.py, so that a signal does not know where they are from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, cast

from gatekeeper.monitor.features import Way
from gatekeeper.registry import Registry

if TYPE_CHECKING:
    from gatekeeper.monitor.window import Window

REGISTRY = Registry("monitor.sources", ("DESCRIPTION", "read"))


@dataclass
class Asked:
    """What is to be read: `address` as the file states it, `now` by this machine's clock (seconds). `kept` is what the source
    wants to find again at the next look: plain data.
    """

    address: str
    now: float
    window_s: float
    selector: Mapping[str, str] = field(default_factory=dict)
    ways: Mapping[str, Way] = field(default_factory=dict)
    labels: str = ""
    kept: dict[str, object] = field(default_factory=dict)


class Source(Protocol):
    """The shape of a source module."""

    DESCRIPTION: str

    @staticmethod
    def read(asked: Asked) -> Window: ...


def source(name: str) -> Source:
    """The source of that name."""
    return cast(Source, REGISTRY.get(name))
