"""Examples that are texts: the same wherever they are kept, as long as they are, and in common with another set or not."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from gatekeeper.data.distinct import distinct
from gatekeeper.data.draw import sizes
from gatekeeper.data.overlap import overlap, write_examples
from gatekeeper.data.texts import characters, raw


def test_a_text_is_the_same_beside_a_longer_one() -> None:
    short, beside = np.array([["ab", ""]]), np.array([["ab", ""], ["a text that is much longer", "東京"]])
    assert short.dtype != beside.dtype and raw(short[0]) == raw(beside[0]) != raw(beside[1])
    assert raw(np.array(["ab", "c"])) != raw(np.array(["a", "bc"])), "where one ends is part of it"
    assert raw(np.array([1, 2], np.int8)) == b"\1\2"
    assert characters(beside).tolist() == [2, 28] and characters(np.array(["ab", ""])).tolist() == [2, 0]


def test_copies_and_what_two_sets_share_are_known_by_their_texts(tmp_path: Path) -> None:
    texts = np.array(["one", "two", "one", "three"])
    assert distinct({"x": texts}).tolist() == [0, 1, 0, 2]
    others = np.array(["two", "four", "a text that is much longer"])
    folders = [tmp_path / name for name in ("evaluation", "calibration")]
    for folder, array in zip(folders, (texts, others), strict=True):
        folder.mkdir()
        write_examples(folder, {"x": array, "n": np.zeros((len(array), 5))})
    found = overlap(*folders)
    assert (found.shared, found.total) == (1, 4), "numbers that are alike make no texts alike"


def test_long_texts_are_long_examples() -> None:
    steps = sizes({"x": np.array([["short"], ["l" * 400], ["l" * 410]]), "n": np.zeros((3, 1))})
    assert steps[1] == steps[2] > steps[0]
