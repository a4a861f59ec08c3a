"""Variants that the user has optimized: copied, so that what is judged is what is kept, whatever becomes of the file."""

from __future__ import annotations

import shutil
from pathlib import Path

from gatekeeper.errors import GatekeeperError, NotMeasured
from gatekeeper.frameworks._base import opener
from gatekeeper.making.content import compare
from gatekeeper.making.optimize import Made, ModelSource
from gatekeeper.models.files import assess, digest_files, model_format
from gatekeeper.models.fit import Fit, fit
from gatekeeper.models.hashed import digest_once
from gatekeeper.models.info import Assessment

CALLED = {"onnx": "model.onnx", "openvino_ir": "model.xml", "gguf": "model.gguf"}
"""The file that sessions look for in a folder, by format."""
WEIGHTS = ".bin"


def own_variant(source: ModelSource, framework: str, given: Path, model: Assessment, batch: int, itself: bool = False) -> Made:
    """The user's file or folder as an artifact; `NotMeasured` where it is no variant of the model.

    `batch` is how many examples are asked at once, `itself` whether it may be the model as it is.
    """
    kind = model_format(given)
    files, about = _files(given, kind)
    fitting = fit(model, about, batch) if about else Fit()
    identity = digest_files(files, digest_once)
    names = {file: _called(given, kind, file) for file in files}

    def make(folder: Path) -> dict[str, object]:
        for file, name in names.items():
            shutil.copyfile(file, folder / name)
        return {}

    key = {"own": identity, "names": sorted(names.values())}
    folder, entry, cached = source.space.cache.get_or_make("own", key, make)
    kept = tuple(folder / name for name in entry.files)
    main = CALLED.get(kind or "")
    others = bool(kind and opener(kind) != framework)  # another runtime's format is opened as the file it is
    made = Made(
        folder,
        tuple(sorted(kept, key=lambda each: each.name != main)),
        digest_files(list(kept), digest_once),
        sum(each.stat().st_size for each in kept),
        cached,
        file=folder / main if main and others else None,
        fit=fitting,
    )
    if itself:
        return made
    before = source.baseline()[0]
    if source.space.ask_clerk(compare.Compare(before=str(before), after=str(made.opened)), compare.Compared).same:
        raise NotMeasured("unsupported", "it is the model itself: operators and weights are the same. Name the optimized one.")
    return made


def _files(given: Path, kind: str | None) -> tuple[list[Path], Assessment | None]:
    """The model's files, and what is known of it; of a folder in a framework's own form nothing may be."""
    if given.is_dir():
        inside = sorted(each for each in given.iterdir() if each.is_file())
        try:
            return inside, assess(given) if kind else None
        except GatekeeperError:
            return inside, None
    about = assess(given)
    files = [Path(each) for each in about.files]
    if astray := next((each for each in files if each.parent.resolve() != given.parent.resolve()), None):
        raise NotMeasured("unsupported", f"its weights are in a folder of their own ({astray}). Put them beside {given.name}.")
    return files, about


def _called(given: Path, kind: str | None, file: Path) -> str:
    """What a copy is called: the model as sessions expect it, weights as the model names them."""
    main = CALLED.get(kind or "")
    if main is None or given.is_dir():
        return file.name
    if file.name == given.name:
        return main
    return Path(main).with_suffix(WEIGHTS).name if kind == "openvino_ir" and file.suffix == WEIGHTS else file.name
