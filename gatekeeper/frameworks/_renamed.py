"""A session asked, and answering, in the names of another model: of a variant that was exported with names of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gatekeeper.errors import NotMeasured
from gatekeeper.models.info import TEXT


class Renamed:
    """`inputs` are own names with the other's and the type to take, `outputs` own names with the other's, in its order.

    What else the session can do, it does as it is.
    """

    def __init__(self, session: Any, inputs: Mapping[str, tuple[str, str]], outputs: Mapping[str, str]):
        self._session, self._feeds = session, inputs
        own = {name: i for i, name in enumerate(session.outputs)}
        if lacking := [name for name in outputs if name not in own]:
            said = f"it answers {', '.join(own)}, and not {', '.join(lacking)}"
            raise NotMeasured("model", f"the variant's file and what runs it do not agree: {said}. Export it again.")
        self._order = [own[name] for name in outputs] if outputs else list(range(len(own)))
        self.inputs: tuple[str, ...] = tuple(name for name, _ in inputs.values()) if inputs else session.inputs
        self.outputs: tuple[str, ...] = tuple(outputs.values()) if outputs else session.outputs

    def run(self, feed: dict[str, Any]) -> list[Any]:
        """The other model's feed, as this one takes it."""
        if self._feeds:
            feed = {own: _as(feed[name], dtype) for own, (name, dtype) in self._feeds.items()}
        answers = self._session.run(feed)
        return [answers[i] for i in self._order]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)


def _as(array: Any, dtype: str) -> Any:
    """In the type that is taken; texts are texts."""
    return array if dtype == TEXT else array.astype(dtype, copy=False)
