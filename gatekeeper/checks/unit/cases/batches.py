"""Batches of every size, and that an example's answer does not depend on what else is in its batch."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from gatekeeper.checks.outcome import Broken, Skipped
from gatekeeper.checks.unit.base import Answered, Case, Seen
from gatekeeper.checks.unit.compare import AFTERWARDS, BEFORE, close, still_answers

if TYPE_CHECKING:
    from gatekeeper.checks.unit.lab import Lab, TrialLog

BASIC, MORE = (1, 2, 3, 8), (1, 2, 5, 16, 33)
COVERED = 32
LARGEST, LARGEST_BYTES, LARGEST_S = 256, 32 << 20, 5.0


def _need_batches(lab: Lab) -> None:
    if not lab.batched:
        raise Skipped("the original fixes the number of examples, or its first axis is not one of examples")


def _observe(sizes: tuple[int, ...]) -> Any:
    """Batches of these sizes, and each of their examples alone."""

    def observe(lab: Lab, log: TrialLog) -> None:
        _need_batches(lab)
        parts = _parts(sizes)
        for i in range(max(size + start for size, start in parts)):
            log.run(_alone(i), lab.rows(1, start=i))
        for size, start in parts:
            log.run(_batch(size, start), lab.rows(size, start))

    return observe


def _parts(sizes: tuple[int, ...]) -> list[tuple[int, int]]:
    """(size, first example) of every batch: one of each size, and so many of one as put every input beside others. What one loud
    example does to its neighbours shows only where there is one.
    """
    usual = max(size for size in sizes if size <= COVERED // 2)
    return [*((size, 0) for size in sizes), *((usual, start) for start in range(usual, COVERED, usual))]


def _judge(sizes: tuple[int, ...]) -> Any:
    def judge(variant: Seen, original: Seen) -> str:
        if error := original.trials[_alone(0)].error:
            raise Skipped(f"the original does not answer one example alone, whatever it declares: {error}")
        taken = [part for part in _parts(sizes) if not original.trials[_batch(*part)].error]
        ours, theirs = (_joined(seen, taken) for seen in (variant, original))
        largest = max(taken)
        names = [n for n in theirs.trials[_each(*largest)].outputs if n in theirs.trials[_batch(*largest)].outputs]
        if not names:
            raise Skipped("the original answers nothing that has a row for each example")
        said = close(ours, theirs, [(_batch(*part), _each(*part)) for part in taken], [_each(*part) for part in taken])
        return f"batches of {', '.join(str(size) for size, start in taken if not start)}; an example in them and alone {said}"

    return judge


def _joined(seen: Seen, parts: list[tuple[int, int]]) -> Seen:
    """The batches, with only those outputs that have a row for each example, and the same rows put together from examples
    that were asked alone.
    """
    import numpy as np

    trials: dict[str, Answered] = {}
    for size, start in parts:
        batch, alone = seen.answer(_batch(size, start)), [seen.answer(_alone(start + i)) for i in range(size)]
        names = [n for n in alone[0].outputs if all(_rowed(a.outputs.get(n), 1) for a in alone)]
        rows = {n: np.concatenate([a.outputs[n] for a in alone]) for n in names}
        trials[_each(size, start)] = Answered("", rows, {})
        trials[_batch(size, start)] = Answered("", {n: a for n, a in batch.outputs.items() if n in names}, {})
    return Seen(seen.who, trials, seen.numbers)


def _batch(size: int, start: int = 0) -> str:
    return f"a batch of {size}" + (f" from example {start}" if start else "")


def _alone(index: int) -> str:
    return f"example {index} alone"


def _each(size: int, start: int = 0) -> str:
    return f"each of {size} alone" + (f" from example {start}" if start else "")


def _rowed(array: Any, size: int) -> bool:
    import numpy as np

    return array is not None and bool(np.ndim(array) and len(array) == size)


def _empty(lab: Lab, log: TrialLog) -> None:
    _need_batches(lab)
    log.run(BEFORE, lab.feeds[0])
    log.run("an empty batch", lab.rows(0))
    log.run(AFTERWARDS, lab.feeds[0])


def _judge_empty(variant: Seen, original: Seen) -> str:
    expected, answered = original.trials["an empty batch"], variant.trials["an empty batch"]
    still_answers(variant, original)
    if answered.error:
        if not expected.error:
            raise Broken(f"it refuses an empty batch, which the original answers: {answered.error}")
        return "refused, as by the original"
    if not expected.error and (wrong := _other_shapes(answered, expected)):
        raise Broken(f"an empty batch: the output {wrong} has another shape than the original's")
    return "refused by the original, and answered" if expected.error else "answered with nothing, as by the original"


def _other_shapes(answered: Answered, expected: Answered) -> str:
    return next(
        (n for n, a in expected.outputs.items() if n not in answered.outputs or answered.outputs[n].shape != a.shape),
        "",
    )


def _largest(lab: Lab, log: TrialLog) -> None:
    """As many examples as memory and time allow within reason."""
    _need_batches(lab)
    log.run(BEFORE, lab.feeds[0])
    start = time.perf_counter()
    lab.session.run(lab.rows(1))
    one_s = time.perf_counter() - start
    bytes_each = max(1, sum(array.nbytes for array in lab.rows(1).values()))
    size = int(max(2, min(LARGEST, LARGEST_BYTES // bytes_each, LARGEST_S / max(one_s, 1e-6))))
    log.numbers["size"] = float(size)
    outputs = log.run("the largest batch", lab.rows(size))
    log.numbers["rows"] = float(outputs is None or sum(_rowed(array, size) for array in outputs))
    log.run(AFTERWARDS, lab.feeds[0])


def _judge_largest(variant: Seen, original: Seen) -> str:
    still_answers(variant, original)
    if original.trials["the largest batch"].error:
        raise Skipped(f"the original does not take {original.numbers['size']:.0f} examples at once")
    variant.answer("the largest batch")
    if variant.numbers["rows"] < original.numbers["rows"]:
        raise Broken(f"a batch of {variant.numbers['size']:.0f}: not every output has a row for each example")
    return f"{variant.numbers['size']:.0f} examples at once"


CASES = (
    Case("batch_invariance", "basic", "tensors", _observe(BASIC), _judge(BASIC),
         "batches of 1, 2, 3 and 8; an example's answer in a batch is close to its answer alone"),
    Case("more_batches", "comprehensive", "tensors", _observe(MORE), _judge(MORE),
         "as batch_invariance, with batches of 1, 2, 5, 16 and 33"),
    Case("empty_batch", "comprehensive", "tensors", _empty, _judge_empty,
         "no example at all: answered with nothing or refused, as by the original"),
    Case("largest_batch", "comprehensive", "tensors", _largest, _judge_largest,
         "as many examples at once as 32 MiB, 5 seconds and 256 allow"),
)  # fmt: skip
