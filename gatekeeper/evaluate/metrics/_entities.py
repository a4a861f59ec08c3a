"""Entities out of tags, as conlleval and seqeval's default mode find them: an I- that follows nothing of its kind begins one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gatekeeper.data.prepared import IGNORED
from gatekeeper.errors import NotMeasured

OUTSIDE, PREFIXES = "O", "OBIES"


@dataclass(frozen=True)
class Entities:
    """Entities, [entities, 3]: kind, first and last token, counted through all examples; and the example of each."""

    spans: Any
    example: Any

    def count(self, examples: int) -> Any:
        """How many each example has, [examples, 1]."""
        import numpy as np

        return np.bincount(self.example, minlength=examples)[:, None]

    def shared(self, others: Entities) -> Entities:
        """Those that are among others, too."""
        import numpy as np

        if not (len(self.spans) and len(others.spans)):
            return Entities(self.spans[:0], self.example[:0])
        # No two of one model begin at the same token.
        there = np.full((1 + max(self.spans[:, 1].max(), others.spans[:, 1].max()), 3), -1)
        there[others.spans[:, 1]] = others.spans
        rows = (there[self.spans[:, 1]] == self.spans).all(axis=1)
        return Entities(self.spans[rows], self.example[rows])


class Tags:
    """The tags of a model, by the names of its classes."""

    def __init__(self, names: tuple[str, ...]):
        import numpy as np

        if not names:
            said = "entity_f1 reads tags. Name them in the output's order: `dataset: {classes: [O, B-PER, I-PER]}`."
            raise NotMeasured("data", said)
        for name in names:
            if name != OUTSIDE and not (name[:1] in PREFIXES[1:] and name[1:2] == "-" and name[2:]):
                raise NotMeasured(
                    "data", f"the class '{name}' is no tag: O, or B-, I-, E- or S- and a kind. Correct `dataset.classes`."
                )
        kinds = sorted({name[2:] for name in names})
        self._prefix = np.array([PREFIXES.index(name[0]) for name in names])
        self._kind = np.array([kinds.index(name[2:]) for name in names])

    def entities(self, answers: Any, labels: Any) -> Entities:
        """Of answers, [examples, tokens], at the tokens that are labelled: between them nothing is."""
        import numpy as np

        seen = labels != IGNORED
        example = np.nonzero(seen)[0]
        tags = answers[seen]
        if len(tags) and tags.max() >= len(self._prefix):
            raise NotMeasured(
                "data", f"there are {len(self._prefix)} names in `dataset.classes` and a class {tags.max()}. Name all."
            )
        # A place that is outside comes after the last token of every example, so that no entity goes on into the next.
        at = np.arange(len(tags)) + example
        prefix, kind = np.zeros(len(tags) + len(labels) + 1, int), np.zeros(len(tags) + len(labels) + 1, int)
        prefix[at], kind[at] = self._prefix[tags], self._kind[tags]
        before, of = np.concatenate([[0], prefix[:-1]]), np.concatenate([[-1], kind[:-1]])
        o, b, i, e, s = range(5)
        inside, was = prefix != o, before != o
        other = kind != of
        fresh = ~was | (before == e) | (before == s)
        starts = inside & ((prefix == b) | (prefix == s) | (fresh & ((prefix == e) | (prefix == i))) | other)
        ends = was & ((before == e) | (before == s) | np.isin(prefix, (b, s, o)) | other)
        first, last = np.nonzero(starts)[0], np.nonzero(ends)[0] - 1
        owner = np.zeros(len(prefix), int)
        owner[at] = example
        return Entities(np.stack([kind[last], first, last], axis=1), owner[first])
