"""Whether the variants behave: contract tests of each, then the ones that may ship behind a server and under load.

What takes no server is cheap and runs on every variant. A server under load takes minutes, so it is for variants that pass
everything before it: with `require: best` the best of them first, until one is shown to; with `require: all` every one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from msgspec import Meta

from gatekeeper.checks.kinds._base import OFF, in_order, kind
from gatekeeper.config.section import make_section, one_of
from gatekeeper.ids import belongs
from gatekeeper.records.base import Verdict
from gatekeeper.stages._base import report

if TYPE_CHECKING:
    from gatekeeper.config.loaded import Loaded
    from gatekeeper.config.meaning import Review
    from gatekeeper.legs.setup import Added, Known, Setup

NAME = "testing"
DESCRIPTION = "Depth of the testing stage."
ORDER = 30


def _fields() -> list[tuple[str, Any, Any]]:
    """A level for each kind of check, and the keys that kinds have besides."""
    fields: list[tuple[str, Any, Any]] = []
    for name in in_order():
        levels: Any = Annotated[one_of((OFF, *kind(name).LEVELS)), Meta(description=kind(name).DESCRIPTION)]
        fields.append((name, levels, OFF))
    for name in in_order():
        fields += [(key, form, default) for key, (form, default) in getattr(kind(name), "KEYS", {}).items()]
    return fields


SECTION = make_section(
    "Testing",
    """How deep each kind of test goes; docs/testing.md explains every test.

    Each kind is judged by the gate of its name, `load_tests` by those on load. Unit tests run on every variant, and so does the
    scan of `security_tests`. What takes a server runs on the variants that pass everything before: the best first, until one
    passes or, with `require: all`, on every one.
    """,
    _fields(),
)


def extras(loaded: Loaded) -> list[str]:
    """What a leg installs for its tests."""
    asked = [name for name in in_order() if loaded.tests(name)]
    own = [extra for name in asked for extra in getattr(kind(name), "extras", lambda _: [])(loaded)]
    return ["testing", *dict.fromkeys(own)] if asked else []


def problems(review: Review) -> None:
    """What is asked of a test that does not run would never be measured."""
    loaded = review.loaded
    section, listed = loaded.section(NAME), NAME in loaded.pipeline.stages
    asked = [name for name in in_order() if getattr(section, name) != OFF]
    if asked and not listed:
        review.add((NAME, asked[0]), "the stage 'testing' is not among `stages`, so this does nothing. Add it there.")
        return
    if listed and not asked:
        levels = ", ".join(in_order())
        remedy = f"Set a level, e.g. `testing: {{load_tests: smoke}}`, among {levels}; or take the stage out."
        review.add(("stages", loaded.pipeline.stages.index(NAME)), f"the stage 'testing' has nothing to do. {remedy}")
    for name in in_order():
        for key in getattr(kind(name), "KEYS", {}):
            if loaded.stated(NAME, key) not in (None, []) and getattr(section, name) == OFF:
                review.add((NAME, key), f"testing.{name} is off, so this does nothing. Set a level, or remove it.", key=True)
    for name in in_order():
        if hook := getattr(kind(name), "problems", None):
            hook(review)


def run(setup: Setup, known: Known) -> Added:
    """Test the variants of every leg of this machine and judge them again."""
    from functools import partial

    import msgspec

    from gatekeeper.legs.setup import Added, Artifacts, Data
    from gatekeeper.legs.testing import TestedLeg
    from gatekeeper.verdicts.chosen import shown_among
    from gatekeeper.verdicts.preference import in_order
    from gatekeeper.verdicts.targets import rejudged

    made, dataset = known.get(Artifacts).made, known.get(Data).evaluation
    tested, errors, targets = 0, [], []
    by_target = setup.by_target()
    for target in known.targets:
        legs, variants = list(target.legs), {v.id: v for v in target.variants}
        for leg in by_target.get(target.name, []):
            own = [v for v in variants.values() if belongs(v.id, leg.id) and v.id in made]
            if leg.planned.skip or not own:
                continue
            about = next(each for each in legs if each.id == leg.id)
            shown = partial(shown_among, leg=about, more=setup.beside(leg))
            ordered = partial(in_order, leg=about, wish=target.wish)
            done = TestedLeg(leg, own, made, dataset, setup.attempt, shown, ordered)
            done.run()
            variants |= done.variants
            legs = [msgspec.structs.replace(x, tested=done.original) if x.id == leg.id else x for x in legs]
            tested += len(own)
            errors += done.errors
        targets.append(rejudged(target, legs, list(variants.values())))
    if errors:
        return Added(report(setup.loaded, NAME, Verdict.ERROR, "; ".join(dict.fromkeys(errors)), NAME), targets)
    if not tested:
        return Added(report(setup.loaded, NAME, Verdict.SKIP, "no variant was left to test", NAME), targets)
    said = f"tested {tested} variant{'s' * (tested != 1)}"
    return Added(report(setup.loaded, NAME, Verdict.PASS, said, NAME), targets)
