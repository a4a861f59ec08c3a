"""Transcripts, spans, rankings and neighbours: values by other libraries, what is refused, and broken variants."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from kit.lazily import Lazily

from gatekeeper.config.sections.symbols import Symbols
from gatekeeper.errors import NotMeasured
from gatekeeper.evaluate.metrics._base import metric
from gatekeeper.evaluate.tasks._base import Reading, task
from gatekeeper.evaluate.transcription.symbols import symbols
from gatekeeper.stats.looks import ALPHA
from gatekeeper.stats.retention import retention_interval

jiwer, sklearn = Lazily("jiwer"), Lazily("sklearn.metrics")
WORDS = ["the", "quick", "brown", "fox", "jumps", "over", "a", "lazy", "dog", "while", "it", "rains", "on", "our", "roof"]
LETTERS = ["<blank>", " ", *"abcdefghijklmnopqrstuvwxyz"]


def sentences(rng: Any, count: int) -> Any:
    return np.asarray([" ".join(rng.choice(WORDS, rng.integers(1, 12))) for _ in range(count)])


def misheard(rng: Any, texts: Any, share: float) -> Any:
    """Letters left out, doubled or another."""
    found = []
    for text in texts.tolist():
        letters = [letter if rng.random() > share else str(rng.choice(["", letter * 2, "x", " "])) for letter in text]
        found.append(" ".join("".join(letters).split()))
    return np.asarray(found)


@pytest.mark.parametrize("name", ["character_error_rate", "word_error_rate"])
def test_error_rates_are_jiwers(name: str) -> None:
    rng = np.random.default_rng(1)
    expected = jiwer.cer if name == "character_error_rate" else jiwer.wer
    for _ in range(20):
        truth = sentences(rng, int(rng.integers(1, 30)))
        baseline, variant = misheard(rng, truth, 0.05), misheard(rng, truth, 0.2)
        pair = metric(name).compare(baseline, variant, truth)
        values = [expected(truth.tolist(), answers.tolist()) for answers in (baseline, variant)]
        assert (pair.baseline, pair.variant) == pytest.approx(values, abs=1e-12)
        assert pair.scores.p.mean() == pytest.approx(1 - values[1], abs=1e-9)
        assert pair.scores.q.mean() == pytest.approx(1 - values[0], abs=1e-9)


def test_a_rate_above_one_keeps_nothing() -> None:
    truth = np.asarray(["ab"] * 80)
    broken = metric("character_error_rate").compare(truth, np.asarray(["x" * 9] * 80), truth)
    assert broken.variant == 4.5
    kept = retention_interval(broken.scores, ALPHA)
    assert kept.observed < 0 and kept.upper < 1e-6
    perfect = metric("character_error_rate").compare(truth, truth, truth)
    assert (perfect.baseline, perfect.level) == (0.0, 1.0)


def scores_of(texts: Any, rng: Any, axis: int = 2) -> Any:
    """Scores of classes along time that write these texts: each letter some steps long, and blanks between them."""
    rows = []
    for text in texts.tolist():
        steps = [0]
        for letter in text:
            steps += [LETTERS.index(letter)] * int(rng.integers(1, 4)) + [0] * int(rng.integers(1, 3))
        rows.append(steps)
    time = max(map(len, rows))
    classes = np.zeros((len(rows), time), int)
    for row, steps in zip(classes, rows, strict=True):
        row[: len(steps)] = steps
    outputs = rng.normal(0, 0.1, (len(rows), time, len(LETTERS)))
    np.put_along_axis(outputs, classes[:, :, None], 5.0, axis=2)
    return np.moveaxis(outputs, 2, axis)


def read(outputs: Any, labels: Any = None, folder: Path = Path(), **said: Any) -> tuple[Any, Any]:
    own = task("transcription")
    way = own.way(outputs, Reading(task="transcription", folder=str(folder), symbols=Symbols(**said)))
    return own.read(outputs, way), None if labels is None else own.check(labels, outputs, way)


def test_scores_along_time_and_ids_are_read_as_what_they_write(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    texts = sentences(rng, 30)
    (tmp_path / "vocabulary.txt").write_text("\n".join(LETTERS[1:]) + "\n")
    for axis in (1, 2):
        outputs = scores_of(texts, rng, axis)
        assert (read(outputs, vocabulary=LETTERS)[0] == texts).all()
        assert (read(outputs, vocabulary="vocabulary.txt", blank=0, folder=tmp_path)[0] == texts).all()
    ids = scores_of(texts, rng).argmax(axis=2)
    assert (read(ids, vocabulary=LETTERS, collapse=True)[0] == texts).all()
    assert (read(np.asarray([[3, 2, 1, 5, 9]]), vocabulary=LETTERS, end=1)[0] == ["ba"]).all()
    without, labels = read(np.asarray([[3, 4, 0]]), np.asarray([[3, 4, -1]]), blank=0)
    assert without == labels  # ids that are compared as they are


def test_what_stands_for_spaces_and_for_nothing() -> None:
    named = ["<pad>", "<s>", "[UNK]", "|", "a", "▁b"]
    assert read(np.asarray([[1, 4, 3, 4, 5, 2, 0]]), vocabulary=named)[0].tolist() == ["a a b"]


@pytest.mark.parametrize(
    ("outputs", "labels", "said", "message"),
    [
        (np.zeros((2, 5, 9)), None, {}, "which class writes nothing is not known"),
        (np.zeros((2, 5, 9)), None, {"vocabulary": ["a"], "blank": 0}, "has 1 entries and the output 9 classes"),
        (np.zeros((2, 5)), None, {}, "scores of classes"),
        (np.zeros((2, 5), int), np.asarray(["a", "b"]), {}, "symbols: {vocabulary"),
        (np.full((2, 5), 7), None, {"vocabulary": ["a", "b"]}, "an id is 7 and the vocabulary has 2"),
        (np.zeros((2, 5), int), np.asarray([[0.5]]), {}, "Labels of transcription are"),
    ],
)
def test_what_cannot_be_read_is_refused(outputs: Any, labels: Any, said: Any, message: str) -> None:
    with pytest.raises(NotMeasured) as error:
        read(outputs, labels, **said)
    assert message in str(error.value)


# --- spans --------------------------------------------------------------------------------------------------------------


def squad_f1(one: range, other: range) -> float:
    """As SQuAD's script counts tokens."""
    same = sum((Counter(one) & Counter(other)).values())
    return 0.0 if not same else 2 * same / (len(one) + len(other))


def test_spans_are_read_and_scored_as_squad_does() -> None:
    rng = np.random.default_rng(3)
    outputs = rng.normal(size=(60, 2, 50))
    spans = task("question_answering").read(outputs, None)
    for row, (first, last, begin, end) in zip(outputs, spans, strict=True):
        best = max((row[0, s] + row[1, e], -s, -e) for s in range(50) for e in range(s, min(s + 30, 50)))
        assert (first, last) == (-best[1], -best[2])
        assert (begin, end) == (row[0].argmax(), row[1].argmax())
    truth = np.sort(rng.integers(0, 50, (60, 3, 2)), axis=2)
    truth[::2, 1:] = -1
    labels = task("question_answering").check(truth, spans, None)
    answers = [[range(s, e + 1) for s, e in each if s >= 0] for each in truth.tolist()]
    expected = [
        max(squad_f1(range(s, e + 1), each) for each in own) for (s, e, *_), own in zip(spans.tolist(), answers, strict=True)
    ]
    assert metric("span_f1").compare(spans, spans, labels).baseline == pytest.approx(np.mean(expected))
    moved = spans.copy()
    moved[::3, :2] = truth[::3, 0]
    right = [range(s, e + 1) in own for (s, e, *_), own in zip(moved.tolist(), answers, strict=True)]
    assert metric("span_exact").compare(moved, spans, labels).baseline == np.mean(right) > 0.3


def test_spans_come_as_two_outputs_or_as_one() -> None:
    rng, gather = np.random.default_rng(4), task("question_answering").gather
    start, end, ids = rng.normal(size=(5, 9)), rng.normal(size=(5, 9)), rng.normal(size=(5, 9))
    reading = Reading(task="question_answering")
    found = gather({"end_logits": end, "pooled": ids, "start_logits": start}, {}, reading)
    assert found is not None and found[2] == {"start_logits", "end_logits"}
    other = gather({"logits": np.stack([start, end], axis=2)}, {}, reading)
    assert other is not None and (found[1] == other[1]).all() and found[1].shape == (5, 2, 9)
    with pytest.raises(NotMeasured, match="start and end in their names"):
        gather({"a": start, "b": end}, {}, reading)


@pytest.mark.parametrize("labels", [np.zeros(4), np.asarray([[3, 1]]), np.asarray([[[-1, -1]]]), np.asarray([[1, 2, 3]])])
def test_labels_that_are_no_spans_are_refused(labels: Any) -> None:
    with pytest.raises(NotMeasured):
        task("question_answering").check(labels, None, None)


# --- ranking ------------------------------------------------------------------------------------------------------------


def test_gains_are_scikit_learns_with_ties() -> None:
    rng = np.random.default_rng(5)
    for _ in range(30):
        query = np.repeat(np.arange(12), rng.integers(2, 20, 12))
        order = rng.permutation(len(query))
        labels = np.stack([rng.integers(0, 4, len(query)), query], axis=1)[order].astype(float)
        baseline, variant = rng.normal(size=(2, len(query))).round(1)
        for name, most in (("ndcg", None), ("ndcg_at_10", 10)):
            pair = metric(name).compare(baseline, variant, labels)
            for value, scores in ((pair.baseline, baseline), (pair.variant, variant)):
                each = [labels[:, 1] == number for number in range(12)]
                expected = [sklearn.ndcg_score([labels[own, 0]], [scores[own]], k=most) for own in each]
                assert value == pytest.approx(np.mean(expected), abs=1e-9)


def test_a_query_given_twice_counts_once_and_one_of_a_single_item_not() -> None:
    rng = np.random.default_rng(6)
    labels = np.stack([rng.integers(0, 3, 40), np.repeat(np.arange(8), 5)], axis=1).astype(float)
    b, v = rng.normal(size=(2, 40))
    twice = np.concatenate([labels, labels + np.asarray([0, 100]), [[1, 999]]])
    pair = metric("ndcg").compare(np.concatenate([b, b, [0]]), np.concatenate([v, v, [0]]), twice)
    assert pair.scores.examples == 8
    assert pair.baseline == pytest.approx(metric("ndcg").compare(b, v, labels).baseline)


@pytest.mark.parametrize("labels", [np.arange(4), np.asarray([[-1, 0], [1, 0]]), np.asarray([[1, 0], [1, 1]])])
def test_labels_without_queries_are_refused(labels: Any) -> None:
    with pytest.raises(NotMeasured):
        task("ranking").check(labels, None, None)


# --- retrieval ----------------------------------------------------------------------------------------------------------


def things(rng: Any, count: int, each: int, spread: float = 0.3) -> tuple[Any, Any]:
    numbers = np.repeat(np.arange(count), each)
    return rng.normal(size=(count, 16))[numbers] + rng.normal(size=(count * each, 16)) * spread, numbers


@pytest.mark.parametrize("most", [1, 5, 10])
def test_neighbours_are_scikit_learns(most: int) -> None:
    from sklearn.neighbors import NearestNeighbors

    rng = np.random.default_rng(7)
    vectors, numbers = things(rng, 30, 4, spread=1.2)
    own = task("retrieval")
    labels = own.check(numbers, vectors, None)
    near = NearestNeighbors(n_neighbors=most + 1, metric="cosine").fit(vectors).kneighbors(vectors, return_distance=False)
    expected = np.mean([(numbers[[j for j in row if j != i][:most]] == numbers[i]).any() for i, row in enumerate(near)])
    assert metric(f"recall_at_{most}").compare(vectors, vectors, labels).baseline == pytest.approx(expected)
    query = np.arange(120) % 4 == 0
    split = own.check(np.stack([numbers, query], axis=1), vectors, None)
    near = NearestNeighbors(n_neighbors=most, metric="cosine").fit(vectors[~query]).kneighbors(vectors[query])[1]
    expected = np.mean((numbers[~query][near] == numbers[query][:, None]).any(axis=1))
    assert metric(f"recall_at_{most}").compare(vectors, vectors, split).baseline == pytest.approx(expected)


def test_queries_of_one_thing_are_lost_together() -> None:
    """Five of a hundred things with ten queries each: fifty queries, but five things."""
    rng = np.random.default_rng(8)
    vectors, numbers = things(rng, 100, 10)
    worse = vectors.copy()
    worse[numbers < 5] = rng.normal(size=(50, 16))
    labels = task("retrieval").check(numbers, vectors, None)
    pair = metric("recall_at_1").compare(vectors, worse, labels)
    assert pair.scores.examples == 100 and 0.94 < pair.variant < 0.97
    few = metric("recall_at_1").compare(vectors[:200], worse[:200], labels[:200])
    assert few.scores.kind == "binary" and few.scores.examples == 200
    kept = {each.name: each for each in task("retrieval").kept(vectors[:200], worse[:200], labels[:200], {}, None)}
    assert kept["queries for thing 0"].only_baseline >= 5 and kept["queries for thing 9"].only_baseline == 0


def test_vectors_that_are_all_alike_find_nothing() -> None:
    rng = np.random.default_rng(9)
    vectors, numbers = things(rng, 40, 3)
    labels = task("retrieval").check(numbers, vectors, None)
    for dead in (np.zeros_like(vectors), np.ones_like(vectors)):
        assert metric("recall_at_1").compare(vectors, dead, labels).variant == 0


@pytest.mark.parametrize("labels", [np.arange(5), np.asarray([[0, 3], [0, 1]]), np.zeros((3, 4))])
def test_labels_without_others_of_the_same_thing_are_refused(labels: Any) -> None:
    with pytest.raises(NotMeasured):
        task("retrieval").check(labels, None, None)


def test_reading_keeps_what_it_was_told() -> None:
    assert symbols(Symbols(vocabulary=["a", "b"], blank=-1), np.zeros((1, 4, 3)), Path()).blank == 2
