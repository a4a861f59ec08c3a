"""What is wrong with the structure of a file: its schema's errors in words, with place, what is allowed and the nearest name."""

from __future__ import annotations

from typing import Any

from gatekeeper.config.loaded import ROOT
from gatekeeper.config.source import Path_, Source
from gatekeeper.errors import Problem, nearest


def structure_problems(source: Source, schema: dict[str, Any]) -> list[Problem]:
    """What a schema has to say of a file, in words."""
    from jsonschema import Draft202012Validator, validators

    # JSON Schema takes 4.0 for a whole number; the types that follow do not.
    checker = Draft202012Validator.TYPE_CHECKER.redefine("integer", lambda _, v: isinstance(v, int) and not isinstance(v, bool))
    validator = validators.extend(Draft202012Validator, type_checker=checker)  # type: ignore[no-untyped-call]
    errors = list(validator(schema).iter_errors(source.data))
    mistyped = {tuple(e.absolute_path) for e in errors if e.validator == "type"}
    problems: list[Problem] = []
    for error in errors:
        if error.validator == "type" or tuple(error.absolute_path) not in mistyped:
            problems += _explain(error, source)
    return problems


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
        hint = nearest(value, map(str, expected)) if isinstance(value, str) else ""
        return [Problem(line, column, f"{name} is {_shown(value)}{hint or '.'} Allowed: {', '.join(map(str, expected))}.")]
    if kind == "type":
        examples = error.schema.get("examples") if expected == "string" and isinstance(value, int | float) else None
        like = f" Write it like {', '.join(map(str, examples))}." if examples else ""
        return [Problem(line, column, f"{name} is {_shown(value)}; it must be {_TYPES.get(expected, expected)}.{like}")]
    if kind == "pattern":
        examples = _annotated(error, "examples")
        like = f" Write it like {', '.join(examples)}." if examples else f" {_annotated(error, 'description') or ''}"
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
    fitting = [c for c in branches.values() if not any(_of_itself(e) for e in c)]
    if isinstance(value, dict | list) and fitting:
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


def _annotated(error: Any, key: str) -> Any:
    """What the schema of a value says beside its rules; that of alternatives says it of each of them."""
    while error is not None:
        if key in error.schema:
            return error.schema[key]
        error = error.parent
    return None


def _of_itself(error: Any) -> bool:
    """Whether the value itself is of another kind than the alternative, rather than something in it."""
    return error.validator in ("type", "enum") and not error.path and "propertyNames" not in error.schema_path


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
