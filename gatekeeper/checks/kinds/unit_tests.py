"""Contract tests of a variant against the original, and the user's own pytest files."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated, Any

from msgspec import Meta

from gatekeeper.checks.kinds._base import Bench, Outcome
from gatekeeper.checks.unit.base import LEVELS as LEVELS
from gatekeeper.config.section import NonEmpty
from gatekeeper.gates._checks import checks_gate
from gatekeeper.models.files import there

if TYPE_CHECKING:
    from gatekeeper.config.loaded import Loaded
    from gatekeeper.config.meaning import Review

DESCRIPTION = (
    "Contract tests of every variant against the original. `basic`: names, shapes and types, batches, the same answer again, "
    "several callers, odd inputs; of models that write text, tokens and prompts. `comprehensive`: also other processes and "
    "threads, memory that is given back, larger batches, and inputs at the limits. Both: the files of `tests`. Every test is in "
    "docs/testing.md."
)
TITLE = "contract tests"
ORDER = 10
SERVER = False
GATE = checks_gate("unit_tests", "Every contract test of the variant passes, your own pytest files among them.")
KEYS: dict[str, tuple[Any, Any]] = {
    "tests": (
        Annotated[
            list[NonEmpty],
            Meta(
                description="pytest files of your own, relative to this file: part of `unit_tests`. They get the fixtures "
                "`session` (the variant), `baseline`, `example_inputs` and `variant_id`."
            ),
        ],
        [],
    ),
}


def run(bench: Bench) -> Outcome:
    """Each test its own check, whatever the model does meanwhile."""
    from gatekeeper.checks.unit.run import unit_checks

    folder = bench.loaded.folder
    own = [folder / test for test in bench.loaded.section("testing").tests]
    return Outcome(checks=unit_checks(bench.subject, bench.baseline, bench.level, own, folder))


def expected(loaded: Loaded | None, level: str, text: bool) -> list[str]:
    """The contract tests of a level, and the user's files as pytest calls them."""
    from gatekeeper.checks.unit.base import OPENS, cases

    names = [OPENS.name, *(case.name for case in cases(level, text))]
    if loaded is not None:
        root = loaded.folder.resolve()
        own = [(root / test).resolve() for test in loaded.section("testing").tests]
        names += [os.path.relpath(file, root).replace(os.sep, "/") for file in own]
    return names


def user_code(loaded: Loaded) -> list[str]:
    """The user's files."""
    return [f"tests {name}" for name in loaded.section("testing").tests]


def problems(review: Review) -> None:
    """The user's files are there, and are such as pytest takes."""
    from gatekeeper.config.meaning import same_file

    folder, names = review.loaded.folder, review.loaded.section("testing").tests
    for i, name in enumerate(names):
        file = folder / name
        if not there(file):
            review.add(("testing", "tests", i), f"no such file: {file}. Correct the path.")
        elif file.suffix != ".py" or not file.is_file():
            review.add(("testing", "tests", i), f"{file} is no Python file. Name the pytest files one by one.")
        elif any(same_file(file, folder / other) for other in names[:i]):
            review.add(("testing", "tests", i), f"'{name}' is listed twice. Remove one.")
