"""What is counted group by group, against pycocotools' matches and loops of its own, and where a detector is used."""

from __future__ import annotations

import contextlib
import io
from collections import Counter
from typing import Any

import numpy as np
import pytest
from evaluate.detection.test_detection_precision import world
from evaluate.test_by_amount import lost
from kit.lazily import Lazily

from gatekeeper.evaluate.detection.average_precision import Matches
from gatekeeper.evaluate.detection.by_class import kept_boxes
from gatekeeper.evaluate.detection.form import SURE
from gatekeeper.evaluate.detection.matching import OVERLAPS
from gatekeeper.evaluate.detection.working import working_scores
from gatekeeper.records.scores import KeptClass

coco, cocoeval = Lazily("pycocotools.coco"), Lazily("pycocotools.cocoeval")
USED = 0.45


def by_pycocotools(truth: Any, found: Any) -> tuple[Counter[Any], Counter[Any]]:
    """True boxes found by class and overlap, and boxes shown wrongly by class at a half, of those with scores from USED on."""
    held = coco.COCO()
    rows = [(i, row) for i, own in enumerate(truth.tolist()) for row in own if row[4] >= 0]
    held.dataset = {
        "info": {},
        "images": [{"id": i} for i in range(len(truth))],
        "categories": [{"id": kind} for kind in range(int(truth[:, :, 4].max()) + 1)],
        "annotations": [
            {"id": n + 1, "image_id": i, "category_id": int(r[4]), "iscrowd": int(r[5]),
             "bbox": [r[0], r[1], r[2] - r[0], r[3] - r[1]], "area": (r[2] - r[0]) * (r[3] - r[1])}
            for n, (i, r) in enumerate(rows)
        ],
    }  # fmt: skip
    shown = [
        [i, r[0], r[1], r[2] - r[0], r[3] - r[1], r[4], r[5]] for i, own in enumerate(found.tolist()) for r in own if r[4] >= USED
    ]
    right: Counter[Any] = Counter()
    wrong: Counter[Any] = Counter()
    with contextlib.redirect_stdout(io.StringIO()):
        held.createIndex()
        made = cocoeval.COCOeval(held, held.loadRes(np.asarray(shown)), "bbox")
        made.evaluate()
    for each in made.evalImgs:
        if each is None or each["aRng"] != made.params.areaRng[0]:
            continue
        counts, matched = ~each["dtIgnore"].astype(bool), each["dtMatches"] > 0
        for t, overlap in enumerate(OVERLAPS):
            right[each["category_id"], overlap] += int((matched[t] & counts[t]).sum())
        wrong[each["category_id"]] += int((~matched[0] & counts[0]).sum())
    return right, wrong


def counted(groups: list[KeptClass]) -> dict[str, KeptClass]:
    assert len({each.name for each in groups}) == len(groups)
    return {each.name: each for each in groups}


def before(each: KeptClass) -> int:
    return each.both + each.only_baseline


def after(each: KeptClass) -> int:
    return each.both + each.only_variant


@pytest.mark.parametrize("crowds", [0.0, 0.2])
def test_what_is_found_and_how_well_is_what_pycocotools_matches(crowds: float) -> None:
    rng = np.random.default_rng(1)
    truth, baseline, variant = world(rng, 60, 3, each=4, crowds=crowds)
    groups = counted(kept_boxes(baseline, variant, truth, {}, overlaps=OVERLAPS, threshold=USED))
    (theirs, their_wrong), (ours, our_wrong) = (by_pycocotools(truth, found) for found in (baseline, variant))
    for c in range(3):
        name = f"class {c}"
        labelled = int(((truth[:, :, 4] == c) & (truth[:, :, 5] == 0)).sum())
        assert groups[name].places == labelled
        assert (before(groups[name]), after(groups[name])) == (theirs[c, 0.5], ours[c, 0.5])
        fit = groups[f"fit of {name}"]
        assert (fit.places, fit.parts) == (10 * labelled, 10)
        assert (before(fit), after(fit)) == (sum(theirs[c, t] for t in OVERLAPS), sum(ours[c, t] for t in OVERLAPS))
        shown = groups[f"boxes shown of {name}"]
        assert shown.both == theirs[c, 0.5] + their_wrong[c]
        assert shown.only_variant - shown.only_baseline == their_wrong[c] - our_wrong[c]


def test_groups_of_sizes_and_sites_are_what_a_loop_says() -> None:
    rng = np.random.default_rng(2)
    truth, baseline, _ = world(rng, 60, 3, each=4)
    variant, sites = baseline.copy(), np.where(np.arange(60) % 3 == 0, "a", "b")
    variant[sites == "a", :, 4] = -1
    groups = counted(kept_boxes(baseline, variant, truth, {"site": sites}, threshold=USED))
    assert after(groups["site = a"]) == 0 < before(groups["site = a"])
    assert groups["site = b"].only_baseline == groups["site = b"].only_variant == 0
    for site in "ab":
        assert groups[f"site = {site}"].places == sum(row[4] >= 0 for own in truth[sites == site].tolist() for row in own)
        shown = sum(row[4] >= USED for own in baseline[sites == site].tolist() for row in own)  # of any class
        assert groups[f"boxes shown, site = {site}"].both == shown
    sizes = [each for name, each in groups.items() if name.startswith("boxes of ") and not name.endswith("as one")]
    assert len(sizes) == 4 and sum(each.places for each in sizes) == int((truth[:, :, 4] >= 0).sum())
    areas = np.sort([(r[2] - r[0]) * (r[3] - r[1]) for own in truth.tolist() for r in own if r[4] >= 0])
    assert max(each.places for each in sizes) <= len(areas) / 4 + 2
    every = groups["boxes shown"]
    assert every.both == int((baseline[:, :, 4].astype(float) >= USED).sum())


def test_an_image_with_many_boxes_does_not_hide_many_with_one() -> None:
    truth, baseline = np.zeros((41, 30, 6)), np.full((41, 30, 6), -1.0)
    truth[:, :, 4] = -1
    for i in range(41):
        for k in range(30 if i == 0 else 1):
            truth[i, k, :5] = [20 * k, 10, 20 * k + 15, 30, 0]
            baseline[i, k] = [20 * k, 10, 20 * k + 15, 30, 0.9, 0]
    variant = baseline.copy()
    variant[1:13, :, 4] = -1
    groups = counted(kept_boxes(baseline, variant, truth, {}))
    assert (before(groups["class 0"]), after(groups["class 0"])) == (70, 58)
    each = groups["class 0, each image as one"]
    assert (before(each) / each.parts, after(each) / each.parts) == (41, 29)


def test_an_image_without_a_thing_shows_nothing() -> None:
    rng = np.random.default_rng(3)
    truth, baseline, _ = world(rng, 60, 3, each=2, wrong=1)
    empty = (truth[:, :, 4] < 0).all(axis=1)
    assert empty.any()
    variant = baseline.copy()
    variant[empty, 0] = [5, 5, 40, 40, 0.9, 1]
    kept = counted(kept_boxes(baseline, variant, truth, {}, threshold=USED))["images without a box"]
    quiet = sum((own[:, 4] < USED).all() for own in baseline[empty])
    assert (kept.examples, before(kept), after(kept)) == (int(empty.sum()), quiet, 0)


@pytest.mark.parametrize("kind", [1, 77])  # one that is labelled, and one that is nowhere
@pytest.mark.parametrize("turned", [False, True])
def test_every_wrong_box_counts_whatever_it_is(kind: int, turned: bool) -> None:
    rng = np.random.default_rng(4)
    truth, baseline, _ = world(rng, 60, 3, each=2, wrong=1)
    variant = baseline.copy()
    variant[:, -1] = [600, 600, 640, 640, 0.9, kind]
    if turned:
        variant[:, -1, [0, 2]] = variant[:, -1, [2, 0]]
    every = counted(kept_boxes(baseline, variant, truth, {}, threshold=USED))["boxes shown"]
    assert (every.only_baseline, every.only_variant) == (60, 0)


def test_what_is_said_of_boxes_shown_is_how_many_are_and_how_many_are_added() -> None:
    rng = np.random.default_rng(4)
    truth, baseline, _ = world(rng, 60, 3, each=2, wrong=1)
    baseline[0, -2] = [600, 600, 640, 640, 0.9, 1]  # a wrong one, which the variant does not show
    variant = baseline.copy()
    variant[:, -1], variant[0, -2, 4] = [600, 600, 640, 640, 0.9, 77], -1
    found = counted(kept_boxes(baseline, variant, truth, {}, threshold=USED))
    shown = baseline[:, :, 4].astype(float) >= USED
    assert lost({"": found["boxes shown"]}) == (
        f"boxes shown: {shown.sum()} in {shown.any(axis=1).sum()} examples, 60 wrong ones added and 1 gone, needs 95.0%"
    )
    variant[:, :, 4] = -1
    assert "right answers in" in lost({"": counted(kept_boxes(baseline, variant, truth, {}, threshold=USED))["class 0"]})


def scored(scores: list[float], right: list[int], objects: int) -> Matches:
    count = len(scores)
    hits = np.array([right], bool)
    arrays = np.zeros(count, int), np.zeros(count, int), np.array(scores), hits, np.ones_like(hits), np.array([[objects]])
    return Matches(*arrays, np.where(hits, 0, -1))


@pytest.mark.parametrize(
    ("scores", "right", "score"),
    [
        ([0.9, 0.8], [1, 1], SURE),  # any from nothing to 0.8 is as good
        ([0.9, 0.8, 0.1], [1, 1, 0], 0.275),  # between 0.1 and 0.8, and not within a quarter of either
        ([0.2, 0.19, 0.18], [1, 1, 1], 0.135),
        ([0.9, 0.6, 0.5, 0.4], [1, 0, 1, 0], 0.425),  # a second right one is worth a wrong one
        ([0.9, 0.5, 0.5], [1, 1, 0], 0.25),  # of boxes of one score all are used
    ],
)
def test_the_working_score_is_where_the_baseline_is_most_often_right(scores: list[float], right: list[int], score: float) -> None:
    each, whole = working_scores(scored(scores, right, 2 + (len(scores) == 3 and sum(right) == 3)), None)
    assert each.tolist() == pytest.approx([score]) and whole == pytest.approx(score)


def test_a_class_that_is_never_found_is_used_as_the_others_are_and_a_declared_score_for_all() -> None:
    each, whole = working_scores(scored([0.9, 0.8], [0, 0], 2), None)
    assert (each.tolist(), whole) == ([SURE], SURE)
    each, whole = working_scores(scored([0.9, 0.8], [1, 1], 2), 0.7)
    assert (each.tolist(), whole) == ([0.7], 0.7)
