"""What `gatekeeper init` writes: files that explain themselves, filled in from what can be found out."""

from __future__ import annotations

import json
import re
import shlex
from importlib import metadata
from pathlib import Path

from gatekeeper.config.units import format_bytes
from gatekeeper.errors import NotMeasured, UsageError
from gatekeeper.frameworks._base import REGISTRY, framework
from gatekeeper.models.files import assess, known_suffixes
from gatekeeper.models.info import Assessment
from gatekeeper.version import DISTRIBUTION

SCHEMA_NAME = "edge_ai_pipeline.schema.json"
SKIPPED = {".git", ".venv", "node_modules", "gatekeeper-report", "gatekeeper-demo", "__pycache__"}


def find_model(folder: Path) -> Path:
    """The one model below a folder; a `UsageError` when there is none or a choice."""
    found = [f for f in _walk(folder, 3) if f.suffix.lower() in known_suffixes() and not _other_xml(f)]
    if not found:
        raise UsageError(f"no model ({', '.join(known_suffixes())}) found below {folder}. Name one with --model.")
    if len(found) > 1:
        names = ", ".join(str(f.relative_to(folder)) for f in found[:8])
        raise UsageError(f"several models found: {names}. Name one with --model.")
    return found[0].relative_to(folder)


def _other_xml(file: Path) -> bool:
    """Whether this is one of the many .xml files that are no model: those of OpenVINO have a .bin beside them."""
    return file.suffix.lower() == ".xml" and not file.with_suffix(".bin").is_file()


def framework_for(model: Assessment) -> str:
    """The framework to write into the file: ONNX Runtime, or the first that reads the model."""
    names = ("onnx_runtime", *REGISTRY.names)
    return next((name for name in names if framework(name).supports(model.format, "cpu") is None), names[0])


def extra_for(model: Path) -> str:
    """The extra that the workflow installs for a model."""
    return framework(framework_for(assess(model))).EXTRA


def _walk(folder: Path, depth: int) -> list[Path]:
    try:
        entries = sorted(folder.iterdir())
    except OSError:
        return []
    files = [e for e in entries if e.is_file()]
    if depth:
        for entry in entries:
            if entry.is_dir() and entry.name not in SKIPPED and not entry.is_symlink():
                files += _walk(entry, depth - 1)
    return files


def pipeline_text(model: Path, folder: Path, schema: str | None = None) -> str:
    """A commented pipeline file for a model; `folder` is where it will lie, `schema` a file beside it."""
    try:
        found = assess(model)
    except NotMeasured as error:
        raise UsageError(str(error)) from None
    evaluation, calibration = _datasets(model.parent)
    name = framework_for(found)
    module = framework(name)
    refused = {t: module.refuses(t, found, calibration is not None) for t in module.TECHNIQUES}
    techniques = [t for t in module.defaults(found.format, "cpu") if not refused[t]] or [
        t for t, reason in refused.items() if not reason
    ][:1]
    left_out = [f"#   {t}: {reason}" for t, reason in refused.items() if reason]
    dataset = f"path: {_quoted(_relative(evaluation, folder))}" if evaluation else "path: CHANGE-me.npz"
    if calibration:
        dataset += f"\n    calibration: {_quoted(_relative(calibration, folder))}"
    lines = [
        *([f"# yaml-language-server: $schema={schema}"] if schema else []),
        "# What must hold before the optimized model ships. Check this file with: gatekeeper validate",
        "edge_ai_pipeline:",
        "  # Each stage must pass before the next one runs.",
        "  stages: [model_validation, optimization]",
        "",
        f"  # {found.architecture}, {found.parameters:,} parameters, {format_bytes(found.bytes)}",
        "  model:",
        f"    path: {_quoted(_relative(model, folder))}",
        "    # image_classification, tabular_classification, text_classification, regression or embedding",
        "    task: image_classification" if found.architecture == "cnn" else "    task: tabular_classification",
        "",
        "  # Examples the model has never seen, at least 500 for a clear verdict: .npz with arrays x and y,",
        "  # .csv, a folder of images (one subfolder a class), or `loader: package.module:function`.",
        "  dataset:",
        f"    {dataset}",
        *([] if calibration else ["    # calibration: calib.npz    # other examples, for int8_static"]),
        "    # metric: accuracy    # top5_accuracy, macro_f1, mae, rmse, r2, cosine_similarity, or package.module:function",
        "",
        "  # Hardware the model must run on; each target is judged on its own.",
        "  targets:",
        "    - name: edge-cpu",
        "      hardware: cpu    # intel_cpu, intel_gpu, nvidia_gpu, apple_silicon, arm_mobile, embedded_arm, edge_tpu",
        "      runs_on: ubuntu-latest",
        "",
        "  optimization:",
        f"    frameworks: [{name}]",
        *(["    techniques:", f"      {name}: [{', '.join(techniques)}]"] if techniques else []),
        *(["    # left out:", *(f"    {line}" for line in left_out)] if left_out else []),
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


def workflow_text(pipeline: Path, extra: str = "onnx-runtime") -> str:
    """A workflow that installs an extra, runs the pipeline on pull requests and blocks on its exit code."""
    source = _install_source()
    lines = [
        "# Blocks a pull request whose optimized model does not hold its gates.",
        "name: gatekeeper",
        "on:",
        "  pull_request:",
        "  workflow_dispatch:",
        "permissions:",
        "  contents: read",
        "jobs:",
        "  gatekeeper:",
        "    runs-on: ubuntu-latest",
        "    timeout-minutes: 30",
        "    steps:",
        "      - uses: actions/checkout@v4",
        "        with: {lfs: true, persist-credentials: false}",
        "      - uses: actions/setup-python@v5",
        "        with: {python-version: '3.11'}",
    ]
    if source is None:
        lines.append("      # CHANGE: where pip finds gatekeeper, e.g. a git URL or a package index of yours.")
    lines += [
        f'      - run: pip install "{DISTRIBUTION}[{extra}]{" @ " + source if source else ""}"',
        f"      - run: {json.dumps('gatekeeper run ' + shlex.quote(pipeline.as_posix()), ensure_ascii=False)}",
        "      - if: always()",
        '        run: if [ -f gatekeeper-report/report.md ]; then cat gatekeeper-report/report.md >> "$GITHUB_STEP_SUMMARY"; fi',
        "      - if: always()",
        "        uses: actions/upload-artifact@v4",
        "        with: {name: gatekeeper-report, path: gatekeeper-report}",
    ]
    return "\n".join(lines) + "\n"


def _install_source() -> str | None:
    """Where this installation came from, when it was a version-control URL."""
    try:
        text = metadata.distribution(DISTRIBUTION).read_text("direct_url.json")
    except metadata.PackageNotFoundError:
        return None
    origin = json.loads(text) if text else {}
    if "vcs_info" not in origin:
        return None
    return f"{origin['vcs_info']['vcs']}+{origin['url']}@{origin['vcs_info']['commit_id']}"


def _datasets(folder: Path) -> tuple[Path | None, Path | None]:
    """(evaluation, calibration) sets by their names."""
    files = sorted(f for f in folder.iterdir() if f.suffix.lower() in (".npz", ".csv") or _images(f))
    calibration = next((f for f in files if "calib" in f.stem.lower()), None)
    rest = [f for f in files if f != calibration]
    named = [f for f in rest if any(word in f.stem.lower() for word in ("eval", "test", "val"))]
    return next(iter(named or rest), None), calibration


def _images(folder: Path) -> bool:
    """Whether this is a folder of images: one subfolder a class, or labels.csv."""
    from gatekeeper.evaluate.datasets.images import SUFFIXES as IMAGES

    if not folder.is_dir() or folder.name in SKIPPED or folder.name.startswith("."):
        return False
    return (folder / "labels.csv").is_file() or any(f.suffix.lower() in IMAGES for f in folder.glob("*/*"))


def _relative(path: Path, folder: Path) -> str:
    try:
        return path.resolve().relative_to(folder.resolve()).as_posix()
    except ValueError:
        return path.resolve().as_posix()


def _quoted(text: str) -> str:
    """A YAML scalar that is what it looks like."""
    if re.fullmatch(r"[A-Za-z][A-Za-z0-9_./-]*", text):
        return text
    return _ESCAPED.sub(lambda m: f"\\U{ord(m[0]):08x}", json.dumps(text, ensure_ascii=False))


_ESCAPED = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")  # what YAML does not take as it is, besides what JSON escapes
