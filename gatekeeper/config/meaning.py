"""What a schema cannot see: whether the parts of a pipeline file agree with one another and with the disk."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

from gatekeeper.config.limits import DISABLED, SAME_LIMIT, limits
from gatekeeper.config.load import LEVELS, ROOT, Loaded
from gatekeeper.config.source import Path_
from gatekeeper.config.types import Stage, Target
from gatekeeper.errors import Problem, nearest
from gatekeeper.frameworks._base import REGISTRY as FRAMEWORKS
from gatekeeper.frameworks._base import TEXT_FORMATS, framework, is_config, variant_name
from gatekeeper.gates._base import REGISTRY as GATES
from gatekeeper.gates._base import gate, tested_by
from gatekeeper.hardware.selection import hardware
from gatekeeper.models.files import model_format, there, unknown_format
from gatekeeper.units import format_duration, parse_duration

METRICS = ("accuracy", "top5_accuracy", "macro_f1", "mae", "rmse", "r2", "cosine_similarity", "perplexity", "exact_match")
TEXT_TASK = "text_generation"
SCENARIO_OF = {"p99_latency": "server", "error_rate": "server", "throughput": "offline"}
"""The scenario of load that a gate is judged on."""

PARTS = ("soak", "stress")
"""What measures a gate and is a part of load_tests rather than a level of its own."""

LEAST_LOAD_S, LEAST_SOAK_S, MOST_S = 1.0, 8.0, 86_400.0
MOST_REQUESTS = 2_000_000
"""As gatekeeper.load.generate has it."""

_METRICS_OF = {
    "regression": ("mae", "rmse", "r2"),
    "embedding": ("cosine_similarity",),
    "classification": ("accuracy", "top5_accuracy", "macro_f1"),
    "text_generation": ("perplexity", "exact_match"),
}


def meaning_problems(loaded: Loaded) -> list[Problem]:
    """Every disagreement, with its place."""
    check = _Check(loaded)
    check.stages()
    check.model()
    check.fits_task()
    check.dataset()
    check.limits()
    check.testing()
    check.techniques()
    check.targets()
    return check.problems


def limit_problems(loaded: Loaded) -> list[Problem]:
    """The disagreements among the limits alone."""
    check = _Check(loaded)
    check.limits()
    return check.problems


class _Check:
    def __init__(self, loaded: Loaded):
        self.loaded = loaded
        self.pipeline = loaded.pipeline
        self.problems: list[Problem] = []

    def add(self, path: Path_, message: str, key: bool = False) -> None:
        source, full = self.loaded.source, (ROOT, *path)
        mark = (source.keys if key else source.values).get(full) or source.keys.get(full) or (1, 1)
        self.problems.append(Problem(*mark, message))

    def stages(self) -> None:
        order = get_args(Stage)
        stages = self.pipeline.stages
        for i, stage in enumerate(stages):
            if stage in stages[:i]:
                self.add(("stages", i), f"the stage '{stage}' is listed twice. Remove one.")
            elif i and order.index(stage) < order.index(stages[i - 1]):
                self.add(("stages", i), f"'{stage}' must come before '{stages[i - 1]}'. The order is {', '.join(order)}.")

    def model(self) -> None:
        model, path = self.pipeline.model, self.loaded.model_path()
        if model is None or path is None or self.loaded.model_override is not None:
            return
        if not there(path):
            hint = " Run make_model.py beside it first." if there(path.parent / "make_model.py") else ""
            self.add(("model", "path"), f"no such model: {path}.{hint} Correct the path or export the model.")
        elif model_format(path) is None:
            self.add(("model", "path"), unknown_format(path))

    def fits_task(self) -> None:
        """Text is written by models of other formats than those that classify."""
        path, model = self.loaded.model_path(), self.pipeline.model
        found = model_format(path) if path else None
        if found is None or model is None or model.task is None:
            return
        if (model.task == TEXT_TASK) != (found in TEXT_FORMATS):
            takes = "a Hugging Face folder or .gguf" if model.task == TEXT_TASK else "a tensor model, such as .onnx"
            self.add(("model", "task"), f"{model.task} takes {takes}; {path} is {found}. Correct the task or the model.")

    def dataset(self) -> None:
        dataset = self.pipeline.dataset
        if dataset is None:
            return
        if (dataset.path is None) == (dataset.loader is None):
            self.add(("dataset",), "dataset needs `path` or `loader`, one of them.", key=True)
        for key in ("path", "calibration"):
            value = getattr(dataset, key)
            if value is not None and not there(self.loaded.folder / value):
                self.add(("dataset", key), f"no such dataset: {self.loaded.folder / value}. Correct the path.")
        folder = self.loaded.folder
        if dataset.path and dataset.calibration and _same(folder / dataset.path, folder / dataset.calibration):
            self.add(
                ("dataset", "calibration"),
                "the calibration set must not be the evaluation set: accuracy would flatter. Split them.",
            )
        if dataset.metric is not None:
            self.metric(dataset.metric)

    def task(self) -> str | None:
        """What the model does, said or known from its format."""
        if self.pipeline.model and self.pipeline.model.task:
            return self.pipeline.model.task
        path = self.loaded.model_path()
        return TEXT_TASK if path and model_format(path) in TEXT_FORMATS else None

    def metric(self, metric: str) -> None:
        task = self.task()
        if task == TEXT_TASK and metric not in _METRICS_OF[TEXT_TASK]:
            self.add(("dataset", "metric"), f"'{metric}' does not fit {task}. Use {', '.join(_METRICS_OF[TEXT_TASK])}.")
            return
        if metric not in METRICS:
            if not re.fullmatch(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*", metric):
                allowed = f"Allowed: {', '.join(METRICS)}, or package.module:function."
                self.add(("dataset", "metric"), f"dataset.metric is '{metric}'{nearest(metric, METRICS) or '.'} {allowed}")
            return
        for kind, metrics in _METRICS_OF.items():
            if task and task.endswith(kind) and metric not in metrics:
                self.add(("dataset", "metric"), f"'{metric}' does not fit the task {task}. Use {', '.join(metrics)}.")

    def limits(self) -> None:
        gates = self.loaded.source.data[ROOT].get("gates") or {}
        for name, path in SAME_LIMIT.items():
            value, said = self.loaded.stated(*path), gates.get(name)
            if value is None or said is None:
                continue
            key = gate(name).limit_key
            if said == DISABLED:
                self.add(("gates", name), f"disabled here, but {'.'.join(path)} asks for {value}. Remove one.")
            elif said.get(key) not in (None, value):
                both = f"{said[key]} here, but {'.'.join(path)} says {value}"
                self.add(("gates", name, key), f"{both}: they are the same limit. Keep one.")

    def testing(self) -> None:
        """What is asked of a test that does not run would never be measured."""
        testing, listed = self.pipeline.testing, "testing" in self.pipeline.stages
        asked = [name for name in LEVELS if getattr(testing, name) != "off"]
        if asked and not listed:
            self.add(("testing", asked[0]), "the stage 'testing' is not among `stages`, so this does nothing. Add it there.")
            return
        if listed and not asked:
            remedy = f"Set a level, e.g. `testing: {{load_tests: smoke}}`, among {', '.join(LEVELS)}; or take the stage out."
            self.add(("stages", self.pipeline.stages.index("testing")), f"the stage 'testing' has nothing to do. {remedy}")
        for key, needed in (("tests", "unit_tests"), ("load", "load_tests"), ("soak", "load_tests")):
            if self.loaded.stated("testing", key) not in (None, []) and getattr(testing, needed) == "off":
                self.add(("testing", key), f"testing.{needed} is off, so this does nothing. Set a level, or remove it.", key=True)
        self.own_tests()
        self.load()
        self.scenarios()
        self.gates_that_nothing_measures(listed)

    def own_tests(self) -> None:
        names = self.pipeline.testing.tests
        for i, name in enumerate(names):
            file = self.loaded.folder / name
            if not there(file):
                self.add(("testing", "tests", i), f"no such file: {file}. Correct the path.")
            elif file.suffix != ".py" or not file.is_file():
                self.add(("testing", "tests", i), f"{file} is no Python file. Name the pytest files one by one.")
            elif any(_same(file, self.loaded.folder / other) for other in names[:i]):
                self.add(("testing", "tests", i), f"'{name}' is listed twice. Remove one.")

    def load(self) -> None:
        """Runs that show something, and end."""
        testing, rate = self.pipeline.testing, self.pipeline.testing.load.target_qps or 0.0
        for key, stated, least, why in (
            ("load", testing.load.duration, LEAST_LOAD_S, "shorter runs show nothing"),
            ("soak", testing.soak.duration if testing.soak else None, LEAST_SOAK_S, "growth is told from 30 readings of memory"),
        ):
            if stated is None:
                continue
            path, seconds = ("testing", key, "duration"), parse_duration(stated)
            if seconds < least:
                self.add(path, f"testing.{key}.duration is '{stated}'; it must be at least {format_duration(least)}: {why}.")
            elif seconds > MOST_S:
                self.add(path, f"testing.{key}.duration is '{stated}'; it must be at most {MOST_S / 3600:g}h.")
            elif rate * seconds > MOST_REQUESTS:
                asked = f"'{stated}' at {rate:g} requests/s are {rate * seconds:,.0f} requests, {MOST_REQUESTS:,} can be kept"
                self.add(path, f"{asked}. Shorten it to {int(MOST_REQUESTS / rate)}s, or lower testing.load.target_qps.")

    def scenarios(self) -> None:
        """Those that the gates are judged on."""
        scenarios = self.pipeline.testing.load.scenarios
        for i, scenario in enumerate(scenarios):
            if scenario in scenarios[:i]:
                self.add(("testing", "load", "scenarios", i), f"'{scenario}' is listed twice. Remove one.")
        if not self.loaded.tests("load_tests"):
            return
        judged = [limit.name for target in self.loaded.targets for limit in limits(self.loaded, target) if limit.config]
        for needed in dict.fromkeys(SCENARIO_OF.values()):
            names = [name for name in dict.fromkeys(judged) if SCENARIO_OF.get(name) == needed]
            if names and needed not in scenarios:
                said = f"'{needed}' is not listed, and {' and '.join(names)} would never be measured"
                self.add(("testing", "load", "scenarios"), f"{said}. Add '{needed}', or write `disabled` at the gate.")

    def gates_that_nothing_measures(self, listed: bool) -> None:
        places: list[Path_] = [("gates",), *(("targets", i, "gates") for i in range(len(self.pipeline.targets)))]
        for place in places:
            for name, said in (self.loaded.stated(*place) or {}).items():
                kind = tested_by(name) if name in GATES.names else ""
                if said != DISABLED and not self.loaded.tests(kind):
                    self.add((*place, name), f"{name} {self.why_not(kind, listed)}, or remove this.", key=True)

    def why_not(self, kind: str, listed: bool) -> str:
        """Why the tests that measure a gate do not run, and what would make them."""
        needed = f"is measured by testing.{'load_tests' if kind in PARTS else kind}"
        if not listed:
            return f"{needed}, but the stage 'testing' is not listed. Add it to `stages`, set a level"
        if kind not in PARTS or self.pipeline.testing.load_tests == "off":
            return f"{needed}, but testing.{'load_tests' if kind in PARTS else kind} is off. Set a level"
        if kind == "soak":
            return f"{needed} at production_scale, or where `testing.soak` says how long. Write `testing: {{soak: {{}}}}`"
        if self.pipeline.testing.load_tests != "production_scale":
            return f"{needed} at production_scale. Set that level"
        return "is a property of a server, but testing.load.over is in_process. Set it to http"

    def techniques(self) -> None:
        used = {name for target in self.loaded.targets for name in self.loaded.frameworks(target)}
        for name, techniques in self.pipeline.optimization.techniques.items():
            path: Path_ = ("optimization", "techniques", name)
            if name not in used:
                self.add(
                    path, f"'{name}' is not among the frameworks. Add it to optimization.frameworks or remove this.", key=True
                )
            if name not in FRAMEWORKS.names:
                continue  # known by name only; `plan` says that this version cannot run it
            known = framework(name).TECHNIQUES
            short = [variant_name(name, technique).casefold() for technique in techniques]
            for i, technique in enumerate(techniques):
                if is_config(name, technique):
                    if short[i] in {t.casefold() for t in known} or short[i] in short[:i]:
                        self.add(
                            (*path, i),
                            f"'{technique}' would be called {variant_name(name, technique)} in the report, as another technique "
                            "is. Rename the file.",
                        )
                    if not there(self.loaded.folder / technique):
                        self.add((*path, i), f"no such file: {self.loaded.folder / technique}. Correct the path.")
                elif technique not in known:
                    hint = nearest(technique, known) or "."
                    self.add((*path, i), f"{name} has no technique '{technique}'{hint} It has {', '.join(known)}.")
                elif technique in techniques[:i]:
                    self.add((*path, i), f"'{technique}' is listed twice. Remove one.")

    def targets(self) -> None:
        names: set[str] = set()
        for i, target in enumerate(self.pipeline.targets):
            if target.name in names:
                self.add(("targets", i, "name"), f"the target name '{target.name}' is already taken. Names must differ.")
            names.add(target.name)
            self.supported(i, target)

    def supported(self, index: int, target: Target) -> None:
        path = self.loaded.model_path()
        found = model_format(path) if path else None
        frameworks = self.loaded.frameworks(target)
        if found is None or any(name not in FRAMEWORKS.names for name in frameworks):
            return
        device = hardware(target.hardware).DEVICE
        reasons = {name: framework(name).supports(found, device) for name in frameworks}
        if all(reasons.values()):
            self.add(
                ("targets", index, "hardware"),
                f"no listed framework supports {target.hardware}: {'; '.join(str(r) for r in reasons.values())}.",
            )


def _same(one: Path, other: Path) -> bool:
    """Whether two spellings mean one file."""
    try:
        return one.resolve() == other.resolve()
    except (OSError, ValueError):
        return one == other
