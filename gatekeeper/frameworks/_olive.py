"""Runs workflows of Olive: gatekeeper's own, and the user's, of which only what makes the model is kept."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from gatekeeper.errors import NotMeasured
from gatekeeper.frameworks._genai import is_of_the_machine, said, silent

if TYPE_CHECKING:
    from gatekeeper.frameworks._onnx_quantize import Batches, Drawn

CALIBRATION = "calibration"
"""The data config that stands for `dataset.calibration` of the pipeline file."""

_LOADER = "gatekeeper_calibration"
_DEVICES = {"cpu": ("cpu", "CPUExecutionProvider"), "cuda": ("gpu", "CUDAExecutionProvider")}

# What a user's file may name without trust. Passes: from ONNX to ONNX, with nothing but numbers and names to set.
_PASSES = (
    "DynamicToFixedShape", "GraphSurgeries", "InputNCHWtoNHWC", "MatMulNBitsToQDQ", "OnnxBlockWiseRtnQuantization",
    "OnnxBnb4Quantization", "OnnxDynamicQuantization", "OnnxFloatToFloat16", "OnnxHqqQuantization",
    "OnnxIODataTypeConverter", "OnnxKQuantQuantization", "OnnxOpVersionConversion", "OnnxPeepholeOptimizer",
    "OnnxQuantization", "OnnxQuantizationPreprocess", "OnnxScriptFusion", "OnnxStaticQuantization", "OrtMixedPrecision",
    "OrtTransformersOptimization",
)  # fmt: skip
_DATA = (
    "DataContainer", "DummyDataContainer", "RawDataContainer", "dummy_dataset", "raw_dataset", "default_dataloader",
    "no_auto_batch_dataloader", "skip_pre_process", "skip_post_process",
)  # fmt: skip
_CODE = ("user_script", "script_dir", "trust_remote_code")

_PATHS = ("user_script", "script_dir", "data_dir")  # relative to the file that names them
_WRITTEN = ("save_as_external_data", "all_tensors_to_one_file", "external_data_name")  # where files go is for us to say


def run(workflow: dict[str, Any], device: str, folder: Path, calibration: Batches | Drawn | None = None) -> Path:
    """The ONNX model that a workflow makes: its `input_model`, `passes` and `data_configs`, and nothing else of Olive's.

    It stays in `folder`, which is made for it.
    """
    os.environ.setdefault("OLIVE_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("CI", "true")  # with the other alone, Olive still reports that it was started
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    kind, provider = _DEVICES[device]
    here = {"type": "LocalSystem", "accelerators": [{"device": kind, "execution_providers": [provider]}]}
    config = workflow | {
        "output_dir": str(folder / "output"),
        "cache_dir": str(folder / "cache"),
        "systems": {"here": here},
        "host": "here",
        "target": "here",
        "evaluate_input_model": False,
        "log_severity_level": 1,
    }
    from gatekeeper.frameworks._olive_log import listening

    # Olive takes any word in a workflow for a path, where a file has that name: it runs where there are none.
    (folder / "empty").mkdir(parents=True)
    with silent(), contextlib.chdir(folder / "empty"), listening() as heard:
        try:
            from olive.workflows import run as run_workflow

            if calibration is not None:
                _offer(calibration, config)
            made = run_workflow(config)
        except Exception as error:
            _explain(error)
        if not made.has_output_model():
            _explain(heard.error, heard.reason)
        best = made.get_best_candidate()
    if best.model_type.lower() != "onnxmodel":
        raise NotMeasured("unsupported", f"Olive's workflow ends in an {best.model_type}. End it in an ONNX model.")
    path = Path(best.model_path)
    return path / (best.model_config.get("onnx_file_name") or "model.onnx") if path.is_dir() else path


def read(path: Path, trusted: bool, calibrated: bool) -> dict[str, Any]:
    """`passes` and `data_configs` of the workflow in a user's file; `NotMeasured` where it cannot or must not be run."""
    try:
        workflow = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise NotMeasured("data", f"{path.name}: no JSON: {said(error)}. Correct the file.") from None
    if not isinstance(workflow, dict):
        raise NotMeasured("data", f"{path.name}: holds no workflow of Olive, but a {type(workflow).__name__}. Correct the file.")
    engine = workflow.get("engine")
    asked = workflow | engine if isinstance(engine, dict) else workflow
    passes, data = asked.get("passes"), asked.get("data_configs") or []
    if not isinstance(passes, dict) or not passes:
        raise NotMeasured("data", f"{path.name}: has no `passes`, so that Olive would do nothing. Name one.")
    if not isinstance(data, list) or not all(isinstance(config, dict) for config in data):
        raise NotMeasured("data", f"{path.name}: `data_configs` is no list of data configs. Correct it.")
    if asked.get("search_strategy"):
        raise NotMeasured(
            "unsupported",
            f"{path.name}: `search_strategy` lets Olive choose by what it measures itself. Write what it found into `passes`.",
        )
    _check_systems(path.name, asked)
    kept = {"passes": {name: _pass(f"{path.name}: passes.{name}", value) for name, value in passes.items()}, "data_configs": data}
    _check_data(path.name, kept, [CALIBRATION] if calibrated else [])
    if not trusted:
        _check_trust(path.name, kept)
    made: dict[str, Any] = _absolute(kept, path.parent)
    return made


def _pass(place: str, value: Any) -> dict[str, Any]:
    """A pass without what is not its own: host, evaluator, and where the model is written."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, list):
        raise NotMeasured("unsupported", f"{place} lists {len(value)} passes to choose from. Name one, in a file for each.")
    if not isinstance(value, dict) or not isinstance(value.get("type"), str):
        raise NotMeasured("data", f"{place} has no `type`. Name a pass of Olive.")
    kept = {key: setting for key, setting in value.items() if key not in ("host", "evaluator", *_WRITTEN)}
    if isinstance(kept.get("config"), dict):
        kept["config"] = {key: setting for key, setting in kept["config"].items() if key not in _WRITTEN}
    return kept


def _check_systems(name: str, asked: dict[str, Any]) -> None:
    """Olive can run on other machines, in containers and in other environments, of which the report would know nothing."""
    systems = asked.get("systems")
    holders = [systems] if isinstance(systems, dict) else []
    holders += [{role: holder.get(role)} for holder in (asked, *_parts(asked["passes"])) for role in ("host", "target")]
    for system in (system for holder in holders for system in holder.values() if isinstance(system, dict)):
        if str(system.get("type")).lower() != "localsystem":
            raise NotMeasured(
                "unsupported", f"{name}: a system is a {system.get('type')}, and gatekeeper runs Olive here. Leave it out."
            )
    if remote := [key for key, value in asked.items() if value and ("azure" in key.lower() or key == "workflow_host")]:
        raise NotMeasured("unsupported", f"{name}: `{remote[0]}` leads elsewhere, and gatekeeper runs Olive here. Leave it out.")


def _check_data(name: str, kept: dict[str, Any], others: list[str]) -> None:
    """Olive says of a data config that is not there what the others are, at length."""
    known = [str(config.get("name")) for config in kept["data_configs"]] + others
    for place, key, value in _entries(kept["passes"], "passes"):
        if key.endswith("data_config") and isinstance(value, str) and value not in known:
            own = f"`{CALIBRATION}` is there where the pipeline file has `dataset.calibration`"
            raise NotMeasured("data", f"{name}: `{place}` is {value}, which is not among `data_configs`. Define it; {own}.")


def _check_trust(name: str, kept: dict[str, Any]) -> None:
    """Refuse what runs code or fetches something."""
    trust = "Leave it out, or set `optimization.trust_scripts` if you trust the file and all it names"
    for place, key, value in _entries(kept, ""):
        if key in _CODE and value:
            raise NotMeasured("unsupported", f"{name}: `{place}` runs code of its own. {trust}.")
        allowed = _PASSES if place.startswith("passes.") else _DATA
        if key == "type" and isinstance(value, str) and value.lower() not in map(str.lower, allowed):
            known = ", ".join(allowed)
            raise NotMeasured("unsupported", f"{name}: `{place}` is {value}, which needs trust. {trust}. Without: {known}.")


def _entries(value: Any, place: str) -> Iterator[tuple[str, str, Any]]:
    """Every setting, however deep: its place, its key, its value."""
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        here = f"{place}.{key}" if place else str(key)
        yield here, str(key), inner
        yield from _entries(inner, here)


def _parts(passes: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        part for value in passes.values() for part in (value if isinstance(value, list) else [value]) if isinstance(part, dict)
    ]


def _absolute(value: Any, folder: Path) -> Any:
    if isinstance(value, list):
        return [_absolute(inner, folder) for inner in value]
    if not isinstance(value, dict):
        return value
    return {
        key: str(folder / inner) if key in _PATHS and isinstance(inner, str) and inner else _absolute(inner, folder)
        for key, inner in value.items()
    }


def _offer(calibration: Batches | Drawn, config: dict[str, Any]) -> None:
    """Add the calibration set as the data config that stands for it, unless the workflow has one of that name."""
    from olive.data.registry import Registry

    class Labelled:
        def __len__(self) -> int:
            return len(calibration)

        def __getitem__(self, index: int) -> tuple[Any, int]:
            return calibration[index], 0  # Olive wants a label, and does not look at it

    def load(**settings: Any) -> Labelled:
        return Labelled()

    Registry.register_dataset(_LOADER)(load)
    own = {
        "name": CALIBRATION,
        "type": "DataContainer",
        "load_dataset_config": {"type": _LOADER},
        "dataloader_config": {"type": "no_auto_batch_dataloader"},
    }
    others = config.get("data_configs") or []
    if not any(other.get("name") == CALIBRATION for other in others):
        config["data_configs"] = [*others, own]


def _explain(error: BaseException | None, reason: str = "") -> NoReturn:
    """Raise what a failure of Olive means."""
    while error is not None and error.__cause__ is not None:
        error = error.__cause__
    if error is not None and is_of_the_machine(error):
        raise error
    details = getattr(error, "errors", None)  # as pydantic's have, whose text is several lines for each
    if callable(details):
        wrong: dict[str, str] = {}  # of each setting the first: there is one for every type that it might have
        for detail in details():
            place = str(detail["loc"][0]) if detail["loc"] else "workflow"
            wrong.setdefault(place, str(detail["msg"]).removeprefix("Value error, ").rstrip("."))
        text = "; ".join(f"{place}: {message}" for place, message in wrong.items())
        raise NotMeasured("data", f"Olive does not take this workflow: {text}. Correct it.") from error
    text = (said(error) if error else reason.rstrip(".")) or "it does not say why"
    raise NotMeasured("unsupported", f"Olive cannot run this workflow: {text}. Correct it, or leave it out.") from error
