"""Whether a technique changed anything: the model it made, held against the original by what both compute.

Names, notes, the opset's stamp and the layout of the file are no change. A copy must not be judged as a variant: it keeps all of
the accuracy, and noise may call it faster.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from gatekeeper.making.content import onnx, openvino_ir, tensors
from gatekeeper.models.files import assess, digest, model_format
from gatekeeper.process.messages import Answer, Held, Request

Reader = Callable[[Path], str]

_READERS: dict[str, Reader] = {
    ".onnx": onnx.content,
    ".xml": openvino_ir.content,
    ".gguf": tensors.of_gguf,
    ".safetensors": tensors.of_safetensors,
}

_COUNTING = {"bool", "int32", "int64"}


class Compared(Answer, frozen=True, kw_only=True):
    """Whether both models are the same."""

    same: bool


class Compare(Request, frozen=True, kw_only=True):
    """Compare a model, a file or a folder, with the artifact in a folder."""

    before: str
    after: str

    def answer(self, held: Held) -> Compared:
        """Read both."""
        return Compared(same=same(Path(self.before), Path(self.after)))


def same(before: Path, after: Path) -> bool:
    """Whether two models, each a file or a folder, hold the same operators and weights.

    What cannot be read as a model is compared byte for byte, whatever the files are called.
    """
    old, new = _files(before), _files(after)
    readers = dict(_READERS)
    if any(file.suffix == ".xml" for file in new):  # OpenVINO's: compared with what it makes of an ONNX model by reading it
        readers[".onnx"] = openvino_ir.content
    kinds = {file.suffix for file in new} & readers.keys()
    if ".xml" in kinds:
        kinds.add(".onnx")
    models = [[file for file in files if file.suffix in kinds] for files in (old, new)]
    if not all(models):
        return _digests(old) == _digests(new)
    try:
        if _types(models[1]) - _types(models[0]):  # seen in the headers: most variants end here
            return False
        contents = [_together(files, readers) for files in models]
    except Exception:  # the reader is not installed, or it is no such model after all
        return _digests(old) == _digests(new)
    return contents[0] == contents[1]


def _types(files: list[Path]) -> set[str]:
    """Element types of the weights, where an inspector reads the file alone; not those of axes, shapes and switches."""
    return {name for file in files if model_format(file) for name in assess(file).weights} - _COUNTING


def _together(files: list[Path], readers: dict[str, Reader]) -> list[str]:
    """Sorted: of a model in several files each has a counterpart, and what it is called does not matter."""
    return sorted(readers[file.suffix](file) for file in files)


def _files(model: Path) -> list[Path]:
    return sorted(file for file in model.rglob("*") if file.is_file()) if model.is_dir() else [model]


def _digests(files: list[Path]) -> list[str]:
    return sorted(map(digest, files))
