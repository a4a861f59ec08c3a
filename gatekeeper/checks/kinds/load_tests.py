"""Requests at a production rate, to the original and then alike to the variant."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from msgspec import Meta

from gatekeeper.checks.kinds._base import Bench, Outcome
from gatekeeper.load.profile import MOST_REQUESTS, SCENARIOS, LoadProfile, SoakProfile, profile
from gatekeeper.units import format_duration, parse_duration

if TYPE_CHECKING:
    from gatekeeper.config.limits import Loosened
    from gatekeeper.config.loaded import Loaded
    from gatekeeper.config.meaning import Review
    from gatekeeper.load.run import UnderLoad

KIND = "load_tests"
DESCRIPTION = (
    "Requests at a production rate, sent by MLPerf LoadGen to the baseline and then alike to the variant. `smoke`: the "
    "scenarios of `load`, briefly; judged by `p99_latency`, `error_rate`, and `throughput` where it has a limit. "
    "`production_scale`: the same for longer, and latency against load up to the highest rate within the latency limit, more "
    "requests than the server can take (`overload`), a long run (`endurance`). With `soak` there is a long run at both."
)
TITLE = "under load"
LEVELS = ("smoke", "production_scale")
ORDER = 30
SERVER = True
GATE = None  # each scenario is judged by gates of its own
KEYS: dict[str, tuple[Any, Any]] = {
    "load": (Annotated[LoadProfile, Meta(description="The load of `load_tests`.")], LoadProfile()),
    "soak": (
        Annotated[
            SoakProfile | None,
            Meta(description="The long run of `load_tests`; `soak: {}` is one of the default length."),
        ],
        None,
    ),
}

LEAST_LOAD_S, LEAST_SOAK_S, MOST_S = 1.0, 8.0, 86_400.0


def standard(bench: Bench) -> UnderLoad:
    """The original under the same load: its rate and its latency are those of variants where the file declares none."""
    return _under_load(bench, None)


def run(bench: Bench) -> Outcome:
    """The variant beside the original."""
    under_load = _under_load(bench, bench.standard)
    return Outcome(checks=under_load.tested.checks, load=under_load.evidence, tested=under_load.tested)


def _under_load(bench: Bench, original: UnderLoad | None) -> UnderLoad:
    from gatekeeper.load.run import load_tests

    loaded = bench.loaded
    seed = loaded.pipeline.measure.seed
    return load_tests(bench.subject, profile(loaded), loaded.section("testing").soak, bench.level, seed, original)


def problems(review: Review) -> None:
    """Runs that show something, and end; and the scenarios that gates are judged on."""
    testing = review.loaded.section("testing")
    _lengths(review, testing)
    _scenarios(review, testing)


def _lengths(review: Review, testing: Any) -> None:
    rate = testing.load.target_qps or 0.0
    for key, stated, least, why in (
        ("load", testing.load.duration, LEAST_LOAD_S, "shorter runs show nothing"),
        ("soak", testing.soak.duration if testing.soak else None, LEAST_SOAK_S, "growth is told from 30 readings of memory"),
    ):
        if stated is None:
            continue
        path, seconds = ("testing", key, "duration"), parse_duration(stated)
        if seconds < least:
            review.add(path, f"testing.{key}.duration is '{stated}'; it must be at least {format_duration(least)}: {why}.")
        elif seconds > MOST_S:
            review.add(path, f"testing.{key}.duration is '{stated}'; it must be at most {MOST_S / 3600:g}h.")
        elif rate * seconds > MOST_REQUESTS:
            asked = f"'{stated}' at {rate:g} requests/s are {rate * seconds:,.0f} requests, {MOST_REQUESTS:,} can be kept"
            review.add(path, f"{asked}. Shorten it to {int(MOST_REQUESTS / rate)}s, or lower testing.load.target_qps.")


def _scenarios(review: Review, testing: Any) -> None:
    from gatekeeper.config.limits import limits

    loaded, scenarios = review.loaded, testing.load.scenarios
    for i, scenario in enumerate(scenarios):
        if scenario in scenarios[:i]:
            review.add(("testing", "load", "scenarios", i), f"'{scenario}' is listed twice. Remove one.")
    if not loaded.tests(KIND):
        return
    judged = {limit.name: limit.gate for target in loaded.targets for limit in limits(loaded, target) if limit.config}
    for needed in SCENARIOS:
        names = [name for name, gate in judged.items() if getattr(gate, "JUDGES", ("",))[0] == needed]
        if names and needed not in scenarios:
            said = f"'{needed}' is not listed, and {' and '.join(names)} would never be measured"
            review.add(("testing", "load", "scenarios"), f"{said}. Add '{needed}', or write `disabled` at the gate.")


def unmeasured(loaded: Loaded, gate: str) -> str:
    """A long run, and more requests than a server can take, are parts that not every level has."""
    testing, whole = loaded.section("testing"), loaded.level(KIND) == LEVELS[-1]
    needed = f"is measured by testing.{KIND}"
    if gate == "endurance" and not (whole or testing.soak is not None):
        return f"{needed} at {LEVELS[-1]}, or where `testing.soak` says how long. Write `testing: {{soak: {{}}}}`"
    if gate == "overload" and not whole:
        return f"{needed} at {LEVELS[-1]}. Set that level"
    if gate == "overload" and testing.load.over != "http":
        return "is a property of a server, but testing.load.over is in_process. Set it to http"
    return ""


def expected(loaded: Loaded | None, level: str, text: bool) -> list[str]:
    """What more requests than a server can take must not do to it."""
    from gatekeeper.load.stress import HOLDS

    if loaded is None or level != LEVELS[-1] or loaded.section("testing").load.over != "http":
        return []
    return [*HOLDS]


def loosened(loaded: Loaded) -> list[Loosened]:
    """A rate below the policy's is not applied."""
    from gatekeeper.config.limits import Loosened

    if loaded.policy is None or loaded.policy.limits is None:
        return []
    before, here = (each.section("testing").load.target_qps for each in (loaded.policy.limits, loaded))
    if here == profile(loaded).target_qps:
        return []
    return [Loosened("testing.load.target_qps", before, here, loaded.where("testing", "load", "target_qps"))]
