"""The sets of a run as its report names them, and whether they are what they must be: pinned, and enough of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from msgspec.structs import replace

from gatekeeper.config.also import also_sets
from gatekeeper.config.loaded import Loaded
from gatekeeper.config.pins import code_of, code_problems, policy_sets, set_problems
from gatekeeper.data.prepared import PreparedDataset
from gatekeeper.errors import NotMeasured
from gatekeeper.evaluate.evaluation import Evaluation
from gatekeeper.gates.accuracy import LEAST_EXAMPLES
from gatekeeper.legs.setup import Setup
from gatekeeper.records.data import CALIBRATION, EVALUATION, Code, Data, DataSet, further
from gatekeeper.records.evidence import Comparison


@dataclass(frozen=True)
class Sets:
    """The sets that a stage has read so far, by what they are called, and the user's code as it was before any of it ran."""

    found: dict[str, DataSet] = field(default_factory=dict)
    code: dict[str, Code] = field(default_factory=dict)

    def add(self, what: str, evaluation: Evaluation, folder: Path | None) -> None:
        """One that is prepared, where the file names it."""
        if folder is not None and folder in evaluation.contents:
            self.found[what] = _read(evaluation, folder)

    def count(self, what: str, comparison: Comparison) -> None:
        """What the baseline's own answers say of one: how many examples judge, and how many are answered as another."""
        each, scores = self.found.get(what), comparison.scores
        if each is None or scores is None:
            return
        counted = {"near": comparison.near}
        if each.distinct == 0:  # a text, of which the windows or the prompts are the examples
            counted |= {"examples": scores.examples + scores.copies, "distinct": scores.examples}
        self.found[what] = replace(each, **counted)


def _read(evaluation: Evaluation, folder: Path) -> DataSet:
    """A prepared set as the report names it."""
    source, sha256 = evaluation.contents[folder]
    contents = PreparedDataset(folder).contents
    if evaluation.model.text:
        return DataSet(source=source, sha256=sha256)
    return DataSet(source=source, sha256=sha256, examples=contents.examples, distinct=contents.distinct)


def check_pins(loaded: Loaded, sets: Sets) -> None:
    """`NotMeasured` where a set, or code that reads it, is not what the file or its policy pins."""
    found = {what: (each.source, each.sha256) for what, each in sets.found.items()}
    if said := [*code_problems(loaded, sets.code), *set_problems(loaded, found)]:
        raise NotMeasured("data", " ".join(said))


def check_unchanged(loaded: Loaded, sets: Sets) -> None:
    """`NotMeasured` where code of the user's is other code now than before it ran."""
    now = code_of(loaded)
    if changed := [name for name, each in sets.code.items() if now.get(name) != each]:
        raise NotMeasured("data", f"the code of {', '.join(changed)} changed while it ran. Leave it alone while a run lasts.")


def check_enough(setup: Setup, comparison: Comparison) -> None:
    """`NotMeasured` where so few examples are left, once copies are taken away, that they show nothing of any variant.

    Asked only where a bound on examples judges: a gate on scores that is more than a veto.
    """
    if comparison.scores is None or not any(_bounds(setup)):
        return
    given, distinct = comparison.scores.examples + comparison.scores.copies, comparison.scores.examples
    left = distinct - comparison.close
    if left >= LEAST_EXAMPLES:
        return
    same = [f"{comparison.scores.copies} are copies of others"] if comparison.scores.copies else []
    same += [f"{comparison.close} are others but for a trifle, and answered alike"] if comparison.close else []
    more = f" ({', '.join(same)})" if same else ""
    raise NotMeasured(
        "data",
        f"{left} distinct example{'s' * (left != 1)}{f' of {given}' if given != left else ''}{more} "
        f"cannot show that 95 % is kept, even where nothing is lost: at least {LEAST_EXAMPLES} are needed. Add examples, or "
        "raise `dataset.limit`.",
    )


def _bounds(setup: Setup) -> list[bool]:
    """Whether each limit on scores is a bound on examples that counts, on any target."""
    limits = [limit for leg in setup.legs if leg.runs for limit in leg.limits()]
    return [
        limit.config is not None and limit.gate.BASIS == "scores" and not getattr(limit.gate, "VETO", False) for limit in limits
    ]


def data_of(loaded: Loaded, sets: Sets) -> Data:
    """What the report holds of all of them, each beside what it is at the policy."""
    before = policy_sets(loaded) if sets.found else {}
    at = loaded.policy.name if loaded.policy else ""
    found = {
        what: replace(each, before=before.get(what, ""), at=at if what in before else "") for what, each in sets.found.items()
    }
    names = [each.name for each in also_sets(loaded)]
    return Data(
        evaluation=found.get(EVALUATION),
        calibration=found.get(CALIBRATION),
        also={name: each for name in names if (each := found.get(further(name)))},
        code=sets.code,
    )
