"""Public models that Python packages ship, with inputs for them: what a benchmark asks beside our own examples.

GATEKEEPER_PUBLIC_MODELS is a folder with the unpacked wheels of magika and rapidocr-onnxruntime, which this project does not
need otherwise. There are no labels: what is kept is the answers of the model itself. `make` installs ddddocr, of which nothing
but its files is read.
"""

from __future__ import annotations

import importlib.util
import os
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from kit.support import REPOSITORY

FOLDER = os.environ.get("GATEKEEPER_PUBLIC_MODELS", "")
OCR = Path(((found := importlib.util.find_spec("ddddocr")) and found.origin) or "none").parent
"""Where ddddocr lies; a folder without its models where it is not installed."""
LONGEST = 4096


@dataclass(frozen=True)
class Public:
    """A model, where a package keeps it, and how `count` inputs for it are made."""

    file: str
    inputs: Callable[[int], Any]

    @property
    def path(self) -> Path:
        (found,) = Path(FOLDER).glob(self.file)
        return found


def files(count: int) -> Any:
    """The first and the last bytes of files that Python brings, as many of each kind as there are, as magika reads them."""
    import sysconfig

    kinds: dict[str, list[Path]] = {}
    for path in sorted(Path(sysconfig.get_paths()["purelib"]).rglob("*")):
        if path.suffix and path.is_file() and 16 < path.stat().st_size < 1 << 22:
            kinds.setdefault(path.suffix, []).append(path)
    order = random.Random(0)
    chosen: list[Path] = []
    for found in kinds.values():
        chosen += order.sample(found, min(len(found), 1 + 2 * count // len(kinds)))
    order.shuffle(chosen)
    read: dict[bytes, Any] = {}
    for path in chosen:
        whole = path.read_bytes()
        ends = np.full(2048, 256, np.int32)
        head, tail = whole[:LONGEST].lstrip()[:1024], whole[-LONGEST:].rstrip()[-1024:]
        ends[: len(head)] = np.frombuffer(head, np.uint8)
        ends[2048 - len(tail) :] = np.frombuffer(tail, np.uint8)
        read.setdefault(ends.tobytes(), ends)
    assert len(read) >= count
    return np.stack(list(read.values())[:count])


def lines(width: int, upside_down: bool) -> Callable[[int], Any]:
    """Lines of our own documentation, drawn; every other one upside down if wanted."""

    def draw(count: int) -> Any:
        return np.stack([_line(random.Random(i), width, upside_down and i % 2 == 1) for i in range(count)])

    return draw


def _line(order: random.Random, width: int, upside_down: bool) -> Any:
    from PIL import Image, ImageDraw, ImageFont

    words = (REPOSITORY / "docs/verdicts.md").read_text().split()
    start = order.randrange(len(words) - 6)
    paper, ink = order.randint(160, 255), order.randint(0, 90)
    image = Image.new("L", (width, 48), paper)
    font = ImageFont.load_default(order.randint(20, 36))
    ImageDraw.Draw(image).text((order.randint(2, 20), order.randint(0, 8)), " ".join(words[start : start + 5]), ink, font)
    values = np.asarray(image, np.float32) + np.random.default_rng(start).normal(0, order.uniform(0, 12), (48, width))
    values = values[::-1, ::-1] if upside_down else values
    return np.repeat(((np.clip(values, 0, 255) / 255 - 0.5) / 0.5).astype(np.float32)[None], 3, axis=0)


MODELS = {
    "magika (kinds of files)": Public("magika/models/*/model.onnx", files),
    "rapidocr (upside down?)": Public("rapidocr_onnxruntime/models/*cls_infer.onnx", lines(192, True)),
    "rapidocr (text in a line)": Public("rapidocr_onnxruntime/models/*v4_rec_infer.onnx", lines(320, False)),
}
