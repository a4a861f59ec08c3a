"""The same answer again: in one process, in another, with other threads, and from several threads at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatekeeper.checks.outcome import Skipped
from gatekeeper.checks.unit.base import Case, Seen
from gatekeeper.checks.unit.compare import close, same

if TYPE_CHECKING:
    from gatekeeper.checks.unit.lab import Lab, TrialLog

FEEDS = 4
CALLERS, CALLS = 4, 8


def _labels(seen: Seen) -> list[str]:
    """The first answers of the first process."""
    return [label for label in seen.trials if label.endswith(", first") and not label.startswith(("again/", "threads/"))]


def _twice(lab: Lab, log: TrialLog) -> None:
    for time in ("first", "again"):
        for i, feed in enumerate(lab.feeds[:FEEDS]):
            log.run(f"feed {i}, {time}", feed)
        if lab.text is not None:
            log.generate(f"tokens, {time}", lab.feeds[0]["tokens"][0])


def _judge_runs(variant: Seen, original: Seen) -> str:
    return same(variant, original, [(label.replace("first", "again"), label) for label in _labels(variant)])


def _judge_processes(variant: Seen, original: Seen) -> str:
    return same(variant, original, [(f"again/{label}", label) for label in _labels(variant)])


def _judge_threads(variant: Seen, original: Seen) -> str:
    # Not the tokens: where two are nearly as likely, sums in another order choose the other.
    labels = [label for label in _labels(variant) if label.startswith("feed")]
    return close(variant, original, [(f"threads/{label}", label) for label in labels], labels)


def _crowd(lab: Lab, log: TrialLog) -> None:
    """Several threads take turns through the feeds, each from another one on."""
    from concurrent.futures import ThreadPoolExecutor

    from gatekeeper.checks.unit.lab import TrialLog

    if not lab.concurrent:
        raise Skipped("the framework's sessions take one caller at a time")
    feeds = lab.feeds[:FEEDS]
    for i, feed in enumerate(feeds):
        log.run(f"feed {i}, alone", feed)

    def call(caller: int) -> TrialLog:
        own = TrialLog(lab)
        for turn in range(CALLS):
            i = (caller + turn) % len(feeds)
            own.run(f"feed {i}, caller {caller}, turn {turn}", feeds[i])
        return own

    with ThreadPoolExecutor(CALLERS) as pool:
        for own in pool.map(call, range(CALLERS)):
            log.add(own)


def _judge_crowd(variant: Seen, original: Seen) -> str:
    pairs = [(label, f"{label.partition(',')[0]}, alone") for label in variant.trials if ", caller" in label]
    return f"{CALLERS} callers at once: " + same(variant, original, pairs)


CASES = (
    Case("deterministic_runs", "basic", "all", _twice, _judge_runs, "the same input again in one session: equal"),
    Case("deterministic_processes", "comprehensive", "all", _twice, _judge_processes,
         "the same input in another process: equal", settings=("", "again")),
    Case("deterministic_threads", "comprehensive", "all", _twice, _judge_threads,
         "the same input with another number of threads: close", settings=("", "threads")),
    Case("concurrent_callers", "basic", "tensors", _crowd, _judge_crowd,
         "four threads in one session get the answers that one alone gets: equal"),
)  # fmt: skip
