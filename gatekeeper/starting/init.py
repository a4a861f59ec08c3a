"""What `gatekeeper init` writes: files that explain themselves, filled in from what can be found out."""

from __future__ import annotations

import json
import re
from pathlib import Path
from textwrap import wrap

from gatekeeper.errors import NotMeasured, UsageError
from gatekeeper.evaluate.metrics._base import of_family
from gatekeeper.evaluate.tasks._base import REGISTRY as TASKS
from gatekeeper.evaluate.tasks._base import is_text
from gatekeeper.evaluate.tasks._base import task as task_named
from gatekeeper.frameworks._base import REGISTRY, TEXT_FORMATS, framework, untimed
from gatekeeper.models.files import assess, known_formats, model_format
from gatekeeper.models.info import Assessment
from gatekeeper.models.states import states
from gatekeeper.starting.told import labels_of, told_task
from gatekeeper.units import format_bytes

SCHEMA_NAME = "edge_ai_pipeline.schema.json"
TABLES = (".npz", ".csv")
TEXTS = (".txt", ".jsonl")
SKIPPED = {".git", ".venv", "node_modules", "gatekeeper-report", "gatekeeper-demo", "__pycache__"}


def find_model(folder: Path) -> Path:
    """The one model in or below a folder; a `UsageError` when there is none or a choice."""
    models = _models(folder, 3)
    if not models:
        raise UsageError(f"no model ({known_formats()}) found below {folder}. Name one with --model.")
    if len(models) > 1:
        names = ", ".join(str(f.relative_to(folder)) for f in models[:8])
        raise UsageError(f"several models found: {names}. Name one with --model.")
    return models[0].relative_to(folder)


def _models(folder: Path, depth: int) -> list[Path]:
    """Models in a folder and, to a depth, those below it; a folder that is one itself is not looked into."""
    try:
        entries = sorted(folder.iterdir())
    except OSError:
        return []
    if _is_model(folder):
        return [folder]
    models = [entry for entry in entries if entry.is_file() and _is_model(entry)]
    if depth:
        for entry in entries:
            if entry.is_dir() and entry.name not in SKIPPED and not entry.is_symlink():
                models += _models(entry, depth - 1)
    return models


def _is_model(path: Path) -> bool:
    """Whether this is a model and none of what only looks like one.

    Many .xml are no model: those of OpenVINO have a .bin beside them. And many a folder has a config.json, but no weights.
    """
    if model_format(path) is None:
        return False
    if path.suffix.lower() == ".xml":
        return path.with_suffix(".bin").is_file()
    return path.is_file() or any(f.suffix == ".safetensors" or f.match("pytorch_model*.bin") for f in path.iterdir())


def framework_for(model: Assessment) -> str:
    """The framework to write into the file: llama.cpp for text, ONNX Runtime for tensors, or the first that fits a CPU."""
    first = "llama_cpp" if model.text else "onnx_runtime"
    names = sorted(REGISTRY.names, key=lambda name: name != first)
    fitting = (n for n in names if framework(n).supports(model.format, "cpu") is None and untimed(n, "cpu") is None)
    return next(fitting, first)


def pipeline_text(model: Path, folder: Path, schema: str | None = None, task: str | None = None) -> str:
    """A commented pipeline file for a model; `folder` is where it will lie, `schema` a file beside it. `task`: what the user says
    that it does.
    """
    try:
        assessment = assess(model)
    except NotMeasured as error:
        raise UsageError(str(error)) from None
    if assessment.format in TEXT_FORMATS and assessment.text is None:
        raise UsageError(f"{model}: no model that writes text; others are read as .onnx or .xml. Export it to ONNX first.")
    evaluation, calibration = _datasets(model, TEXTS if assessment.text else TABLES)
    task = task or told(assessment, evaluation)
    name = framework_for(assessment)
    lines = [
        *([f"# yaml-language-server: $schema={schema}"] if schema else []),
        "# What must hold before the optimized model ships. Check this file with: gatekeeper validate",
        "edge_ai_pipeline:",
        "  # Each stage must pass before the next one runs.",
        "  stages: [model_validation, optimization]",
        "",
        f"  # {assessment.architecture}, {assessment.parameters:,} parameters, {format_bytes(assessment.bytes)}",
        "  model:",
        f"    path: {_quoted(_relative(model, folder))}",
        *_task(assessment, task),
        "",
        *_inputs(assessment),
        *(_TEXT if assessment.text else _examples(assessment, task)),
        "  dataset:",
        f"    path: {_quoted(_relative(evaluation, folder)) if evaluation else _PLACEHOLDER[assessment.text is not None]}",
        *([f"    calibration: {_quoted(_relative(calibration, folder))}"] if calibration else []),
        *([] if calibration or assessment.text else [_CALIBRATION]),
        *_metric("text_generation" if assessment.text else task),
        "",
        "  # Hardware the model must run on; each target is judged on its own.",
        "  targets:",
        "    - name: edge-cpu",
        "      # cpu, intel_cpu, intel_gpu, intel_auto, nvidia_gpu, apple_silicon, arm_mobile, embedded_arm, edge_tpu",
        "      hardware: cpu",
        "      runs_on: ubuntu-latest",
        "",
        "  optimization:",
        f"    frameworks: [{name}]",
        *_techniques(name, assessment, calibration is not None),
        "",
        "  gates:",
        "    accuracy: {retention: 0.95}    # keeps at least 95 % of the original's accuracy",
        "    speedup: {min: 2.0}            # at least twice as fast",
        "    memory: {reduction: 0.5}       # at most half the memory",
        "    # Shared runners vary by more than this; on hardware of your own, remove `on_fail: warn`.",
        "    stability: {max_variation: 0.2, on_fail: warn}",
        "    # package_size: {max: 50MB}",
        "    require: best                  # one variant a target must pass every gate; `all`: every variant must",
    ]
    return "\n".join(lines) + "\n"


_PLACEHOLDER = {False: "CHANGE-me.npz", True: "CHANGE-me.txt"}
_UNTOLD = "CHANGE-me"
_TEXT = [
    "  # Text the model has never seen, at least 25,000 tokens for a clear verdict: .txt, or .jsonl with `text`,",
    "  # or `prompt` and `answer`, on each line.",
]
_CALIBRATION = "    # calibration: calib.npz    # other examples, for int8_static"
_OTHERS = {
    "object_detection": ["boxes: {layout: yolo_v8}    # how boxes lie in the outputs, where names and shapes do not tell"],
    "transcription": ["symbols: {vocabulary: symbols.txt, blank: 0}    # which class writes what, and which nothing"],
}
"""What else `model` has to say of a task, where nothing tells it."""


def _examples(model: Assessment, task: str | None) -> list[str]:
    """What the evaluation set may be; a table and images fill one input only."""
    handed = states(model)
    inputs = [each for each in model.inputs if not (each.scalar or each.name in handed)]
    names = ", ".join(_plain(tensor.name) for tensor in inputs)
    arrays = "arrays x and y" if len(inputs) == 1 else f"an array for each input ({names}), and y"
    others = _ONE_INPUT.get(task or "", ".csv, a folder of images (one subfolder a class), or") if len(inputs) == 1 else "or"
    return [
        f"  # Examples the model has never seen, at least 500 for a clear verdict: .npz with {arrays},",
        f"  # {others} `loader: package.module:function`.",
        *(wrap(f"y: {task_named(task).LABELS}", 115, initial_indent="  # ", subsequent_indent="  # ") if task else []),
    ]


_ONE_INPUT = {"object_detection": "a folder of images with COCO's .json as `annotations`, or"}
_ONE_INPUT |= dict.fromkeys(("tabular_classification", "regression"), ".csv, or")
_ONE_INPUT |= dict.fromkeys(("question_answering", "ranking", "token_classification", "transcription"), "or")
"""What else the set may be where a model has one input; of other tasks a table or images by class."""


def _plain(name: str) -> str:
    """A tensor's name on a line of comment."""
    return " ".join(name.split()) if name.isprintable() else repr(name)


def task_of(model: Path) -> str | None:
    """What the model and the examples beside it tell of what it does; None where they do not."""
    try:
        assessment = assess(model)
    except NotMeasured:  # said where the file is written
        return None
    return told(assessment, _datasets(model, TEXTS if assessment.text else TABLES)[0])


def told(model: Assessment, evaluation: Path | None) -> str | None:
    """The same, of a model that has been read, and its evaluation set."""
    folder = evaluation is not None and evaluation.is_dir()
    return told_task(model, None if folder else labels_of(evaluation), folder)


def _task(model: Assessment, task: str | None) -> list[str]:
    if model.text:
        return ["    task: text_generation"]
    *others, last = [name for name in TASKS.names if not is_text(name)]
    chosen = f"    task: {task}" if task else f"    task: {_UNTOLD}    # neither shapes nor names nor labels tell it"
    listed = wrap(f"{', '.join(others)} or {last}", 100, initial_indent="    # ", subsequent_indent="    # ")
    return [*listed, chosen, *(f"    # {each}" for each in _OTHERS.get(task or "", []))]


def _metric(task: str | None) -> list[str]:
    """The metrics of a task, its default first."""
    if task is None:
        return ["    # metric: ...    # those of the task, the first by default: docs/tasks.md; or package.module:function"]
    first, *others = of_family(task_named(task).FAMILY)
    return [f"    # metric: {first}    # {', '.join([*others, 'or package.module:function'])}"]


def _inputs(model: Assessment) -> list[str]:
    """Inputs that are not simply an array of examples: states, with what comes out of them, and single values."""
    handed = states(model)
    carried = [f"    {_quoted(name)}: {{carry: {_quoted(output)}}}" for name, output in handed.items()]
    single = [_quoted(each.name) for each in model.inputs if each.scalar and each.name not in handed]
    said = [f"{name}: {{constant: 16000}}    # one value for all examples, where the data do not hold it" for name in single]
    if not carried:
        return ["  # inputs:", *(f"  #   {line}" for line in said), ""] if said else []
    about = "  # States, which a step of a sequence hands to the next: examples are [examples, steps, ...]."
    return [about, "  inputs:", *carried, *(f"    # {line}" for line in said), ""]


def _techniques(name: str, model: Assessment, calibrated: bool) -> list[str]:
    """The techniques of a framework that apply to a model, and why the others do not."""
    module = framework(name)
    refused = {t: module.refuses(t, model, calibrated) for t in module.TECHNIQUES}
    possible = [t for t, reason in refused.items() if not reason]
    chosen = [t for t in module.defaults(model.format, "cpu") if t in possible] or possible[:1]
    left_out = [f"    #   {t}: {reason}" for t, reason in refused.items() if reason]
    return [
        *(["    techniques:", f"      {name}: [{', '.join(chosen)}]"] if chosen else []),
        *(["    # left out:", *left_out] if left_out else []),
    ]


def _datasets(model: Path, suffixes: tuple[str, ...]) -> tuple[Path | None, Path | None]:
    """(evaluation, calibration) sets beside a model by their names; of texts only those whose name says so."""
    beside = sorted(model.parent.iterdir())
    files = [f for f in beside if f.suffix.lower() in suffixes or (suffixes is TABLES and _images(f))]
    calibration = next((f for f in files if "calib" in f.stem.lower()), None)
    rest = [f for f in files if f != calibration and "requirements" not in f.stem.lower()]
    named = [f for f in rest if any(word in f.stem.lower() for word in ("eval", "test", "val"))]
    return next(iter(named or (rest if suffixes is TABLES else [])), None), calibration


def _images(folder: Path) -> bool:
    """Whether this is a folder of images: one subfolder a class, or labels.csv."""
    from gatekeeper.evaluate.datasets.images import SUFFIXES as IMAGES

    if not folder.is_dir() or folder.name in SKIPPED or folder.name.startswith("."):
        return False
    return (folder / "labels.csv").is_file() or any(f.suffix.lower() in IMAGES for f in folder.glob("*/*"))


def _relative(path: Path, folder: Path) -> str:
    """From the folder, where the path leads into it: as it is called there, also where it is a link to somewhere else."""
    for each, base in ((path.absolute(), folder.absolute()), (path.resolve(), folder.resolve())):
        if each.is_relative_to(base) and ".." not in each.parts:
            return each.relative_to(base).as_posix()
    return path.resolve().as_posix()


def _quoted(text: str) -> str:
    """A YAML scalar that is what it looks like."""
    if re.fullmatch(r"[A-Za-z][A-Za-z0-9_./-]*", text):
        return text
    return _ESCAPED.sub(lambda m: f"\\U{ord(m[0]):08x}", json.dumps(text, ensure_ascii=False))


_ESCAPED = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")  # what YAML does not take as it is, besides what JSON escapes
