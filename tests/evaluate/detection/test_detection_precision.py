"""Mean average precision against pycocotools, and what each image adds against what happens when it weighs more."""

from __future__ import annotations

import contextlib
import io
import time
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from kit.lazily import Lazily

from gatekeeper.errors import NotMeasured
from gatekeeper.evaluate.detection.average_precision import Matches, added, precision
from gatekeeper.evaluate.detection.by_class import kept_boxes
from gatekeeper.evaluate.detection.form import padded
from gatekeeper.evaluate.detection.matching import matches
from gatekeeper.evaluate.metrics._base import metric
from gatekeeper.evaluate.tasks import object_detection
from gatekeeper.stats.looks import ALPHA
from gatekeeper.stats.retention import retention_interval

coco, cocoeval = Lazily("pycocotools.coco"), Lazily("pycocotools.cocoeval")


def world(rng: Any, images: int, kinds: int = 3, each: float = 3, crowds: float = 0.0, wrong: float = 6) -> tuple[Any, Any, Any]:
    """True boxes, and those of two detectors: most found, some twice or askew, and wrong ones; scores tie."""
    truth, models = [], ([], [])
    for _ in range(images):
        count = int(rng.poisson(each))
        corner, sides, kind = rng.uniform(0, 300, (count, 2)), rng.uniform(10, 120, (count, 2)), rng.integers(0, kinds, count)
        own = np.column_stack([corner, corner + sides, kind, rng.random(count) < crowds])
        truth.append(own)
        for found in models:
            seen = rng.integers(0, count, rng.integers(0, count + 2)) if count else np.zeros(0, int)
            noise = int(rng.poisson(wrong))
            place = rng.uniform(0, 300, (noise, 2))
            boxes = [
                own[seen, :4] + rng.normal(0, 6, (len(seen), 4)),
                np.column_stack([place, place + rng.uniform(2, 99, (noise, 2))]),
            ]
            scores = [rng.beta(4, 2, len(seen)), rng.beta(2, 4, noise)]
            classes = [own[seen, 4], rng.integers(0, kinds + 1, noise)]
            found.append(np.column_stack([np.concatenate(boxes), np.concatenate(scores).round(2), np.concatenate(classes)]))
    array = np.zeros((images, max([1, *map(len, truth)]), 6))
    array[:, :, 4] = -1
    for i, own in enumerate(truth):
        array[i, : len(own)] = own
    return array, *(padded(found) for found in models)


def by_pycocotools(truth: Any, found: Any) -> tuple[float, float]:
    """mAP and mAP at half overlap, by COCO's own way from files to numbers."""
    held = coco.COCO()
    boxes = [(i, row) for i, rows in enumerate(truth.tolist()) for row in rows if row[4] >= 0]
    held.dataset = {
        "info": {},
        "images": [{"id": i} for i in range(len(truth))],
        "categories": [{"id": kind} for kind in range(int(truth[:, :, 4].max()) + 1)],
        "annotations": [
            {
                "id": number + 1, "image_id": i, "category_id": int(row[4]), "iscrowd": int(row[5]),
                "bbox": [row[0], row[1], row[2] - row[0], row[3] - row[1]], "area": (row[2] - row[0]) * (row[3] - row[1]),
            }
            for number, (i, row) in enumerate(boxes)
        ],
    }  # fmt: skip
    rows = [
        [i, r[0], r[1], r[2] - r[0], r[3] - r[1], r[4], r[5]] for i, own in enumerate(found.tolist()) for r in own if r[4] >= 0
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        held.createIndex()
        made = cocoeval.COCOeval(held, held.loadRes(np.asarray(rows)), "bbox")
        made.evaluate()
        made.accumulate()
        made.summarize()
    return float(made.stats[0]), float(made.stats[1])


@pytest.mark.parametrize("problems", [12, pytest.param(150, marks=pytest.mark.thorough)])
def test_values_are_pycocotools(problems: int) -> None:
    rng = np.random.default_rng(3)
    for _ in range(problems):
        crowds = float(rng.choice([0.0, 0.2]))
        truth, baseline, variant = world(rng, int(rng.integers(5, 40)), int(rng.integers(1, 6)), rng.uniform(1, 5), crowds)
        if not ((truth[:, :, 4] >= 0) & (truth[:, :, 5] == 0)).any():
            continue
        for name, place in (("map", 0), ("map_50", 1)):
            pair = metric(name).compare(baseline, variant, truth)
            assert pair.baseline == pytest.approx(by_pycocotools(truth, baseline)[place], abs=1e-12)
            assert pair.variant == pytest.approx(by_pycocotools(truth, variant)[place], abs=1e-12)
            assert pair.scores.q.mean() == pytest.approx(pair.baseline, abs=1e-9)


def test_more_than_a_hundred_boxes_of_a_class_are_read_as_pycocotools_does() -> None:
    rng = np.random.default_rng(4)
    truth, baseline, variant = world(rng, 6, 2, each=4, wrong=240)
    pair = metric("map").compare(baseline, variant, truth)
    assert pair.baseline == pytest.approx(by_pycocotools(truth, baseline)[0], abs=1e-12)


def whole(of: Matches, weights: Any) -> float:
    """Average precision where each image weighs otherwise, by its definition."""
    values = []
    for c in range(of.objects.shape[1]):
        own = np.flatnonzero(of.kind == c)
        own = own[np.argsort(-of.score[own], kind="stable")]
        mass, objects = weights[of.image[own]], float(weights @ of.objects[:, c])
        for right, counts in zip(of.right[:, own], of.counts[:, own], strict=True):
            at = (mass * right).cumsum() / np.maximum((mass * counts).cumsum(), 1e-300)
            given = np.maximum.accumulate(at[::-1])[::-1] if len(at) else at
            values.append(float((mass * right * given).sum() / objects))
    return float(np.mean(values))


def test_what_an_image_adds_is_how_the_whole_changes_with_its_weight() -> None:
    rng = np.random.default_rng(5)
    truth, found, _ = world(rng, 25, 3, crowds=0.1)
    of = matches(found, truth)
    adds = added(of).mean(axis=1)
    assert adds.sum() == pytest.approx(0, abs=1e-9)
    smooth, as_it_is = 0, whole(of, np.ones(25))
    for i in range(25):
        up, down = (1 + (np.arange(25) == i) * step for step in (1e-6, -1e-6))
        above, below = (whole(of, up) - as_it_is) / 1e-6, (as_it_is - whole(of, down)) / 1e-6
        if abs(above - below) < 1e-5:  # else two ranks have the same best precision, and either is taken
            assert adds[i] == pytest.approx(above, abs=1e-5)
            smooth += 1
        else:
            assert min(above, below) - 1e-5 <= adds[i] <= max(above, below) + 1e-5
    assert smooth >= 5
    assert as_it_is == pytest.approx(precision(of).mean(), abs=0.02)


@pytest.mark.thorough
def test_five_thousand_images_are_bounded_in_seconds() -> None:
    rng = np.random.default_rng(6)
    truth, baseline, variant = world(rng, 500, 40, wrong=12)
    ten = [np.concatenate([each] * 10) for each in (baseline, variant, truth)]
    began = time.process_time()
    kept = retention_interval(metric("map").compare(*ten).scores, ALPHA)
    assert time.process_time() - began < 60
    assert kept.lower < kept.observed < kept.upper


def test_a_variant_that_lost_a_class_or_everything_is_seen() -> None:
    rng = np.random.default_rng(7)
    truth, baseline, _ = world(rng, 300, 3, each=4, wrong=2)
    blind, shifted, shy, nothing = (baseline.copy() for _ in range(4))
    blind[:, :, 4] = np.where(baseline[:, :, 5] == 1, -1, baseline[:, :, 4])
    shifted[:, :, [0, 2]] += 60
    shy[:, :, 4] = np.where(baseline[:, :, 5] == 1, baseline[:, :, 4] / 20, baseline[:, :, 4])
    nothing[:, :, 4] = -1
    for variant, most in ((blind, 0.75), (shifted, 0.3), (nothing, 0.0)):
        kept = retention_interval(metric("map").compare(baseline, variant, truth).scores, ALPHA)
        assert kept.upper <= most + 0.1 and kept.observed <= most
    for variant in (blind, shy):  # whose scores alone have become small, which no average precision sees
        groups = [each for each in kept_boxes(baseline, variant, truth, {}) if not each.part]
        lost = {each.name: each.only_baseline / (each.both + each.only_baseline) for each in groups}
        assert lost["class 1"] == 1 and lost["class 0"] == lost["class 2"] == 0
    assert metric("map").compare(baseline, shy, truth).variant == pytest.approx(
        metric("map").compare(baseline, baseline, truth).baseline
    )


def test_without_labels_the_baselines_sure_boxes_must_be_found() -> None:
    rng = np.random.default_rng(8)
    _, baseline, other = world(rng, 80, 3)
    same = object_detection.agreement(baseline, baseline)
    assert (same.baseline, same.variant) == (1.0, pytest.approx(1.0))
    assert object_detection.agreement(baseline, other).variant < 0.2
    with pytest.raises(NotMeasured, match="no box with a score"):
        object_detection.agreement(baseline * np.asarray([1, 1, 1, 1, 0.1, 1]), other)


def test_boxes_in_shares_are_told_from_pixels() -> None:
    rng = np.random.default_rng(9)
    truth, baseline, variant = world(rng, 30)
    small = baseline.copy()
    small[:, :, :4] /= 640
    with pytest.raises(NotMeasured, match="shares of the image's sides"):
        metric("map").compare(small, variant, truth)


def test_an_empty_set_of_matches_adds_nothing() -> None:
    rng = np.random.default_rng(10)
    truth, found, _ = world(rng, 10)
    of = matches(np.where(np.arange(6) == 4, -1, found), truth)
    assert precision(of).max() == 0 and not added(replace(of)).any()
