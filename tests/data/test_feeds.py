"""Feeds as they lie on disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from gatekeeper.data.feeds import count_feeds, read_feeds, read_prompts, write_feeds


def test_what_is_written_is_read(tmp_path: Path) -> None:
    feeds = [{"x": np.full((2, 3), i, np.float32), "y": np.array([i, i], np.int64)} for i in range(4)]
    write_feeds(tmp_path / "feeds.npz", feeds)
    found = read_feeds(tmp_path / "feeds.npz")
    assert count_feeds(tmp_path / "feeds.npz") == len(found) == 4
    for wrote, read in zip(feeds, found, strict=True):
        assert list(read) == ["x", "y"]
        for name, array in wrote.items():
            assert read[name].dtype == array.dtype
            assert np.array_equal(read[name], array)


def test_prompts_are_whole_for_generate_and_cut_for_run(tmp_path: Path) -> None:
    tokens = np.arange(24).reshape(2, 12)
    np.savez(tmp_path / "prompts.npz", tokens=tokens, new_tokens=np.full(2, 8))
    whole = read_feeds(tmp_path / "prompts.npz")
    assert [(feed["tokens"].tolist(), int(feed["new_tokens"])) for feed in whole] == [(row.tolist(), 8) for row in tokens]
    for most, length in ((5, 5), (12, 12), (99, 12)):
        cut = read_prompts(tmp_path / "prompts.npz", most)
        assert [feed["tokens"].tolist() for feed in cut] == [[row[:length].tolist()] for row in tokens]
        assert all(list(feed) == ["tokens"] and feed["tokens"].flags.c_contiguous for feed in cut)
