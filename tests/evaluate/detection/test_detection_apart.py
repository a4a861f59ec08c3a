"""An honest decode finds apart what it finds beside the model: the same boxes in the same images, in whatever order they come."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import yaml
from kit import looked_up
from kit.support import spec

from gatekeeper.config.sections.boxes import Boxes
from gatekeeper.data.outputs import outputs_beside
from gatekeeper.data.prepared import write_prepared
from gatekeeper.errors import NotMeasured
from gatekeeper.evaluate import raw
from gatekeeper.evaluate.apart import unseen
from gatekeeper.evaluate.detection.form import MOST, WIDTH, padded
from gatekeeper.evaluate.detection.unlooked import unlooked
from gatekeeper.evaluate.own_decode import AskDecode
from gatekeeper.evaluate.predict import Predict
from gatekeeper.evaluate.tasks._base import Reading
from gatekeeper.process.messages import Held

IMAGES = 90
MINE = "def decode(outputs, size):\n    assert size == (64, 64)\n    return [rows[rows[:, 4] > 0] for rows in outputs['dets']]\n"


@pytest.fixture(scope="module")
def rows() -> Any:
    return looked_up.world()[1][:IMAGES]


def kept(folder: Path, batch: int, seed: int) -> tuple[Path, int]:
    """Where the predictions lie that both sides make together, in this process, and how many parts that took."""
    write_prepared(folder, {"x": looked_up.images()[:IMAGES]}, None)
    predict = Predict(
        spec=spec(folder / "base.onnx"), dataset=str(folder), destination=str(folder / "predictions.npy"), batch_size=batch,
        output=None, reading=Reading(task="object_detection"),
    )  # fmt: skip
    shown, held, first, parts = folder / "shown", Held(), 0, 0
    shown.mkdir()
    batches = raw.OpenRaw(predict=predict, first=seed, rest=seed + 1).answer(held).batches
    while first < batches:
        ran = raw.RunRaw(first=first, folder=str(shown)).answer(held)
        asked = AskDecode(
            outputs=str(shown), batches=ran.batches, names=ran.names, only=None, count=batch, size=ran.size,
            boxes=Boxes(decode="decode_apart:decode"), folder=str(folder), destination=str(folder / "boxes"),
        )  # fmt: skip
        read = asked.answer(Held()).read
        keep = {"first": first, "batches": ran.batches, "folder": str(shown), "boxes": str(folder / "boxes")}
        raw.KeepRaw(**keep, read=read).answer(held)
        first, parts = first + ran.batches, parts + 1
    raw.CloseRaw().answer(held)
    return folder / "predictions.npy", parts


@pytest.mark.parametrize(("batch", "most"), [(1, 1 << 28), (1, 40_000), (4, 1 << 28), (4, 1), (64, 1)])
def test_boxes_and_other_outputs_are_those_of_their_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: Any, batch: int, most: int
) -> None:
    (tmp_path / "decode_apart.py").write_text(MINE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(__import__("sys").modules, "decode_apart", raising=False)
    monkeypatch.setattr(raw, "MOST_BYTES", most)
    distance = np.random.default_rng(3).random((IMAGES, 3)).astype(np.float32)
    looked_up.write(tmp_path / "base.onnx", rows, distance=distance)
    file, parts = kept(tmp_path, batch, seed=7)
    assert np.array_equal(np.load(file), padded([each[each[:, 4] > 0] for each in rows]))
    beside = outputs_beside(file)
    assert (beside.judged, list(beside.others)) == ("boxes", ["distance"])
    assert np.array_equal(np.load(file.with_name(beside.others["distance"])), distance)
    assert parts == (1 if most > 40_000 else -(-IMAGES // batch) if most == 1 else parts) and (most != 40_000 or parts > 2)


def test_only_the_first_few_examples_come_in_an_order_that_models_share(tmp_path: Path) -> None:
    write_prepared(tmp_path, {"x": np.arange(400, dtype=np.float32)[:, None]}, None)
    predict = Predict(
        spec=spec("x"), dataset=str(tmp_path), destination="", batch_size=2, output=None, reading=Reading(task="object_detection")
    )
    one, other, again = (raw.order_of(raw.OpenRaw(predict=predict, first=5, rest=rest)) for rest in (1, 2, 1))
    assert np.array_equal(one, again) and sorted(one) == sorted(other) == list(range(400))
    assert np.array_equal(one[:32], other[:32]) and (one[32:] == other[32:]).mean() < 0.05
    assert (one == np.arange(400)).mean() < 0.05


@pytest.mark.parametrize("content", [b"", b"x" * 7, bytes(2 * MOST * WIDTH * 4 + 1), None])
def test_what_is_no_boxes_is_refused(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "boxes"
    if content is None:
        (tmp_path / "real").write_bytes(bytes(2 * MOST * WIDTH * 4))
        file.symlink_to(tmp_path / "real")
    else:
        file.write_bytes(content)
    with pytest.raises(NotMeasured, match="something else than boxes"):
        raw.boxes_in(file, 2)
    file.unlink()
    file.write_bytes(bytes(2 * MOST * WIDTH * 4))
    assert raw.boxes_in(file, 2).shape == (2, MOST, WIDTH)


def test_boxes_fit_their_own_images_or_say_nothing(rows: Any) -> None:
    found = padded([each[each[:, 4] > 0] for each in rows])
    assert unlooked(found, None) is None
    everywhere = np.repeat(found[3:4], IMAGES, axis=0)
    assert "fit the images no better" in (unlooked(everywhere, None) or "")


def test_models_data_and_what_runs_have_made_are_unseen_and_code_is_not(tmp_path: Path) -> None:
    for name in ("data", "labels", "cache/predictions", "scratch"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("base.onnx", "v.onnx", "truth.json"):
        (tmp_path / name).write_text("x")
    text = "model: {path: base.onnx, task: object_detection, boxes: {decode: 'data.mine:decode'}}\n"
    text += "  dataset: {path: labels, annotations: truth.json, calibration: data}\n"
    text += "  optimization: {variants: [{name: v, path: v.onnx}, {name: w, path: ../}]}\n"
    (tmp_path / "p.yaml").write_text(f"edge_ai_pipeline:\n  {text}")
    loaded = SimpleNamespace(
        folder=tmp_path,
        source=SimpleNamespace(data=yaml.safe_load((tmp_path / "p.yaml").read_text())),
        pipeline=SimpleNamespace(dataset=None, model=SimpleNamespace(boxes=SimpleNamespace(decode="data.mine:decode"))),
    )
    space: Any = SimpleNamespace(cache=SimpleNamespace(folder=tmp_path / "cache"), scratch=tmp_path / "scratch")
    names = {str(each.relative_to(tmp_path)) for each in unseen(space, cast(Any, loaded), [str(tmp_path / "base.onnx")])}
    assert names == {"base.onnx", "v.onnx", "truth.json", "labels", "cache", "cache/predictions", "scratch"}
