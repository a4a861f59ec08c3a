"""From a pipeline file to a checked `Pipeline`, or to every problem it has."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, get_args, get_type_hints

import msgspec

from gatekeeper.config.source import Path_, Source, read_source
from gatekeeper.config.types import Document, Load, Pipeline, Target, Testing
from gatekeeper.errors import ConfigError, Problem, UsageError, nearest

ROOT = "edge_ai_pipeline"
LEVELS = ("unit_tests", "integration_tests", "load_tests", "security_tests")
"""Keys of `testing` that say how deep a kind of tests goes."""

DEFAULT_TARGET = Target(name="local", hardware="cpu")


@dataclass(frozen=True)
class Loaded:
    """A valid pipeline with the text it came from."""

    path: Path
    pipeline: Pipeline
    source: Source
    model_override: Path | None = None
    policy: Policy | None = None

    @property
    def folder(self) -> Path:
        """Paths in the file are relative to this."""
        return self.path.parent

    @property
    def targets(self) -> list[Target]:
        """The targets, or the one that stands for this machine's CPU."""
        return self.pipeline.targets or [DEFAULT_TARGET]

    @cached_property
    def position(self) -> dict[str, int]:
        """Where in the file's list each target stands."""
        return {target.name: index for index, target in enumerate(self.pipeline.targets)}

    def model_path(self) -> Path | None:
        """The model, from the command line or the file."""
        if self.model_override is not None:
            return self.model_override
        return self.folder / self.pipeline.model.path if self.pipeline.model else None

    def frameworks(self, target: Target) -> list[str]:
        """Frameworks to try on a target, without repeats."""
        return list(dict.fromkeys(target.frameworks or self.pipeline.optimization.frameworks))

    @property
    def require(self) -> Literal["best", "all"]:
        """How many variants of a target must pass; a policy that says `all` holds."""
        return "all" if "all" in self._both("require") else "best"

    @property
    def on_inconclusive(self) -> Literal["fail", "warn"]:
        """What an undecided gate does to the exit code; a policy that says `fail` holds."""
        return "fail" if "fail" in self._both("on_inconclusive") else "warn"

    @property
    def load(self) -> Load:
        """What `load_tests` put on a variant; a policy that sends more a second, or allows less time for an answer, holds."""
        rates = [rate for pipeline in self._stated() if (rate := pipeline.testing.load.target_qps) is not None]
        bounds = [_p99_ms(self.pipeline)]
        if self.policy and self.policy.limits and self.policy.limits.tests("load_tests"):
            bounds.append(_p99_ms(self.policy.limits.pipeline))
        bound = None if bounds[-1] is None else min(ms for ms in bounds if ms is not None)
        return msgspec.structs.replace(self.pipeline.testing.load, target_qps=max(rates, default=None), p99_ms=bound)

    def _stated(self) -> list[Pipeline]:
        """This file's pipeline, and its policy's."""
        return [self.pipeline, *([self.policy.limits.pipeline] if self.policy and self.policy.limits else [])]

    def _both(self, key: str) -> list[str]:
        """What this file and its policy say under `gates`."""
        return [getattr(pipeline.gates, key) for pipeline in self._stated()]

    def tests(self, kind: str) -> bool:
        """Whether the testing stage runs this kind of tests; also of what needs no testing (an empty kind).

        `soak` and `stress` are parts of `load_tests`.
        """
        if not kind:
            return True
        if kind in ("soak", "stress"):
            testing, whole = self.pipeline.testing, self.tests("load_tests") and self.level("load_tests") == "production_scale"
            return (whole and testing.load.over == "http") if kind == "stress" else whole or self._soaks()
        return "testing" in self.pipeline.stages and self.level(kind) != "off"

    def _soaks(self) -> bool:
        return self.tests("load_tests") and self.pipeline.testing.soak is not None

    def level(self, kind: str) -> str:
        """How deep a kind of tests goes; a policy that goes deeper holds."""
        order = get_args(get_type_hints(Testing)[kind])
        return str(max((getattr(pipeline.testing, kind) for pipeline in self._stated()), key=order.index))

    def stated(self, *path: str | int) -> Any:
        """What the file itself says at a path under `edge_ai_pipeline`; None where it says nothing."""
        found: Any = self.source.data[ROOT]
        for key in path:
            found = found[key] if isinstance(key, int) else (found or {}).get(key)
        return found

    def where(self, *path: str | int) -> str:
        """`file:line` of a key under `edge_ai_pipeline`."""
        return self.source.where((ROOT, *path))


def _p99_ms(pipeline: Pipeline) -> float | None:
    """The latency limit, under either of its two names; of targets that have one of their own, the common one."""
    own: float | None = getattr(pipeline.gates.p99_latency, "max_ms", None)  # type: ignore[attr-defined]
    return pipeline.testing.load.p99_ms if own is None else own


@dataclass(frozen=True)
class Policy:
    """Whose limits a file is held to: those of the pipeline file at another commit."""

    name: str  # "main at 0123456789ab", or the path of a file
    sha256: str  # empty where `limits` is None
    limits: Loaded | None  # None: the file is new, there are no limits to hold it to
    waivers: Source | None  # the waivers beside it


def load(path: Path, model: Path | None = None) -> Loaded:
    """Read and check a pipeline file; a `ConfigError` lists every problem."""
    if model is not None:
        _check_override(model)
    source = read_source(path)
    problems = structure_problems(source)
    if problems:
        raise ConfigError(source.path, problems)
    document = msgspec.convert(source.data, Document)
    loaded = Loaded(path=path, pipeline=document.edge_ai_pipeline, source=source, model_override=model)
    from gatekeeper.config.meaning import meaning_problems

    problems = meaning_problems(loaded)
    if problems:
        raise ConfigError(source.path, problems)
    return loaded


def _check_override(model: Path) -> None:
    """A model from the command line is no part of the file, so it has no line to point at."""
    from gatekeeper.models.files import model_format, there, unknown_format

    if not there(model):
        raise UsageError(f"--model {model}: no such model. Check the path, or export the model first.")
    if model_format(model) is None:
        raise UsageError(f"--model {model}: {unknown_format(model)}")


def structure_problems(source: Source, schema: dict[str, Any] | None = None) -> list[Problem]:
    """What a schema, by default the pipeline file's, has to say, in words."""
    from jsonschema import Draft202012Validator, validators

    from gatekeeper.config.schema import pipeline_schema

    # JSON Schema takes 4.0 for a whole number; the types that follow do not.
    checker = Draft202012Validator.TYPE_CHECKER.redefine("integer", lambda _, v: isinstance(v, int) and not isinstance(v, bool))
    validator = validators.extend(Draft202012Validator, type_checker=checker)  # type: ignore[no-untyped-call]
    errors = list(validator(schema or pipeline_schema()).iter_errors(source.data))
    mistyped = {tuple(e.absolute_path) for e in errors if e.validator == "type"}
    found: list[Problem] = []
    for error in errors:
        if error.validator == "type" or tuple(error.absolute_path) not in mistyped:
            found += _explain(error, source)
    return found


def _explain(error: Any, source: Source) -> list[Problem]:
    path: Path_ = tuple(error.absolute_path)
    line, column = source.values.get(path, (1, 1))
    name = _dotted(path)
    value, kind, expected = error.instance, error.validator, error.validator_value
    if kind == "anyOf":
        return _explain_any(error, source)
    if kind == "additionalProperties":
        allowed = list(error.schema.get("properties", {}))
        unknown = [key for key in value if key not in allowed]
        return [
            Problem(
                *source.keys[(*path, key)],
                f"unknown key '{key}'{nearest(key, allowed) or '.'} Allowed here: {', '.join(allowed)}.",
            )
            for key in unknown
        ]
    if kind == "required":
        missing = [key for key in expected if key not in value]
        return [Problem(line, column, f"{name} needs the key '{key}'.") for key in missing]
    if kind == "enum":
        hint = nearest(value, expected) if isinstance(value, str) else ""
        return [Problem(line, column, f"{name} is {_shown(value)}{hint or '.'} Allowed: {', '.join(map(str, expected))}.")]
    if kind == "type":
        return [Problem(line, column, f"{name} is {_shown(value)}; it must be {_TYPES.get(expected, expected)}.")]
    if kind == "pattern":
        examples = error.schema.get("examples")
        like = f" Write it like {', '.join(examples)}." if examples else f" {error.schema.get('description', '')}"
        return [Problem(line, column, f"{name} is {_shown(value)}, which is not of the right form.{like.rstrip()}")]
    words = _BOUNDS.get(kind)
    if words:
        return [Problem(line, column, f"{name} is {_shown(value)}; it must {words} {expected}.")]
    return [Problem(line, column, f"{name}: {error.message}.")]


def _explain_any(error: Any, source: Source) -> list[Problem]:
    """Of several alternatives, speak of the one the value's own type points at."""
    value = error.instance
    branches: dict[int, list[Any]] = {}
    for context in error.context:
        branches.setdefault(int(context.schema_path[0]), []).append(context)
    fitting = [c for c in branches.values() if not any(e.validator in ("type", "enum") and not e.path for e in c)]
    if isinstance(value, dict) and fitting:
        return [p for e in fitting[0] for p in _explain(e, source)]
    line, column = source.values.get(tuple(error.absolute_path), (1, 1))
    allowed: list[str] = []
    for contexts in branches.values():
        for e in contexts:
            if e.validator == "enum":
                allowed += [str(v) for v in e.validator_value]
            elif e.validator == "type" and e.validator_value != "null":
                allowed.append(_TYPES.get(e.validator_value, e.validator_value))
            elif e.validator != "type":
                return _explain(e, source)
    hint = nearest(value, allowed) if isinstance(value, str) else ""
    message = (
        f"{_dotted(tuple(error.absolute_path))} is {_shown(value)}{hint or '.'} Allowed: {', '.join(dict.fromkeys(allowed))}."
    )
    return [Problem(line, column, message)]


_TYPES = {
    "object": "a section with keys",
    "array": "a list",
    "string": "text",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
}
_BOUNDS = {
    "minimum": "be at least",
    "exclusiveMinimum": "be more than",
    "maximum": "be at most",
    "exclusiveMaximum": "be less than",
    "minItems": "have entries, at least",
    "maxItems": "have entries, at most",
    "minLength": "have characters, at least",
    "maxLength": "have characters, at most",
}


def _dotted(path: Path_) -> str:
    shown = ""
    for part in path[1:] if path[:1] == (ROOT,) else path:
        shown += f"[{part}]" if isinstance(part, int) else f".{part}"
    return shown.lstrip(".") or (ROOT if path else "the file")


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return "a section"
    if isinstance(value, list):
        return "a list"
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return str(value).lower()
    return repr(value) if isinstance(value, str) else str(value)
