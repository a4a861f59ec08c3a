"""What a long run tells whoever watches; the command line draws it."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Receives what is going on, in order."""

    def step(self, text: str) -> None:
        """A new step starts."""

    def note(self, text: str) -> None:
        """Something worth keeping on the screen."""

    def round(self, number: int, most: int, undecided: list[str]) -> None:
        """A round was measured; these variants are still undecided."""


class Silent:
    """Tells nobody."""

    def step(self, text: str) -> None:
        """Ignored."""

    def note(self, text: str) -> None:
        """Ignored."""

    def round(self, number: int, most: int, undecided: list[str]) -> None:
        """Ignored."""
