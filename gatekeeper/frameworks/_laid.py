"""A session of a model with constants, or with its examples on another axis, that is asked as all others are."""

from __future__ import annotations

from typing import Any

from gatekeeper.models.layout import Layout


class Laid:
    """Feeds and answers have the examples first. What else the session can do, it does as it is."""

    def __init__(self, session: Any, layout: Layout):
        self._session, self._layout = session, layout
        self.inputs: tuple[str, ...] = tuple(name for name in session.inputs if name not in layout.constants)
        self.outputs: tuple[str, ...] = session.outputs

    def run(self, feed: dict[str, Any]) -> list[Any]:
        """As the model takes it, and back."""
        return self._layout.answers(self.outputs, self._session.run(self._layout.feed(feed)))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)
