"""Every action: what it changes, when there is nothing to change, and that it says what users and manifests know."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gatekeeper.monitor.actions._base import ACTIONS, Change, Serving, Variant, action, in_order
from gatekeeper.monitor.alerts._base import in_order as alerts
from gatekeeper.monitor.resolution.manifests import WORDS
from gatekeeper.serve.config import Served
from gatekeeper.stats.improvement import METRICS

FAST, FASTER = Variant("a/b/int8", 2.0), Variant("a/b/int4", 3.0)
SERVING = Serving(threads=1, max_batch=8, cores=4, variant="what served first", variants=[FASTER, FAST])


@pytest.mark.parametrize("name", ACTIONS.names)
def test_each_changes_what_can_be_served_and_helps_alerts_that_a_rollout_can_show(name: str) -> None:
    module = action(name)
    mended = {each for each, alert in alerts() if getattr(alert, "METRIC", "") in METRICS}
    assert module.HELPS and set(module.HELPS) <= mended
    found = module.change(SERVING)
    assert isinstance(found, Change) and found.what
    assert bool(found.settings) is not bool(found.variant)
    assert set(found.settings) <= set(WORDS)
    assert set(found.settings) - {"threads"} <= set(Served.__struct_fields__)


@pytest.mark.parametrize("name", ACTIONS.names)
def test_each_ends_where_there_is_no_more(name: str) -> None:
    """Repeated without an end it would change something for ever."""
    serving = SERVING
    for _ in range(20):
        found = action(name).change(serving)
        if isinstance(found, str):
            return
        serving = replace(serving, **found.settings, variant=found.variant or serving.variant)  # type: ignore[arg-type]
    raise AssertionError(f"{name} goes on")


def test_their_order_is_the_missions() -> None:
    assert [name for name, _ in in_order()] == ["more_cpu", "model_cache", "smaller_batch", "quantized"]


def test_what_has_nothing_to_change_says_why() -> None:
    said = {
        "more_cpu": (replace(SERVING, cores=1), "have all 1 core"),
        "model_cache": (replace(SERVING, text=True), "writes text"),
        "smaller_batch": (replace(SERVING, max_batch=1), "by itself already"),
        "quantized": (replace(SERVING, variant=FASTER.id), "no other variant"),
    }
    for name, (serving, why) in said.items():
        found = action(name).change(serving)
        assert isinstance(found, str) and why in found, name


def test_threads_stay_within_the_cores() -> None:
    found = action("more_cpu").change(Serving(threads=2, workers=2, cores=6))
    assert isinstance(found, Change) and (found.settings, found.cores) == ({"threads": 3}, 6)


def test_the_fastest_that_passed_is_taken() -> None:
    found = action("quantized").change(SERVING)
    assert isinstance(found, Change) and found.variant == FASTER.id
    assert isinstance(action("quantized").change(replace(SERVING, variants=[FAST], variant=FAST.id)), str)
