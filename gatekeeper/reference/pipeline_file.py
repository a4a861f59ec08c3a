"""docs/pipeline-reference.md: every key of the pipeline file, written from its schema."""

from __future__ import annotations

from typing import Any

from gatekeeper.config.schema import pipeline_schema, waivers_schema

HEAD = """\
# Pipeline file reference

Every key of `edge_ai_pipeline.yaml`. Made from the schema by `make schemas`; do not edit by hand. For completion in an
editor, begin the file with

```yaml
# yaml-language-server: $schema=<path or URL of schemas/edge_ai_pipeline.schema.json>
```

The file is strict YAML: duplicate keys, unknown keys, tags, `.inf` and `.nan` are errors; `1:30` and `off` are text.
Paths are relative to the file. Sizes are written `50MB` (10^6) or `48MiB` (2^20), a leading `<` is allowed; durations
`90s`, `10m`, `1h`.

What the words mean: `required` means that what cannot be measured is an error; `enabled` and `disabled` switch a check;
levels say how deep a test goes: each does all that the one before it does, and `off`, the default, nothing. What nothing
would measure is refused, with what to do: a level or a gate of `testing` without the stage, a gate without the scenario it is
judged on. A stage or check that is listed and that this version cannot run is reported as `error: cannot run`, never skipped
in silence.
"""


ELSEWHERE = ("Techniques",)
"""Sections whose own sections are described on another page: options of techniques in docs/frameworks.md."""

WAIVERS = """\
# Waivers

`gatekeeper-waivers.yml` beside the pipeline file names failures that are tolerated for a while:

```yaml
# yaml-language-server: $schema=<path or URL of schemas/gatekeeper-waivers.schema.json>
waivers:
  - gate: speedup
    target: edge-cpu
    variant: onnx_runtime/int8_dynamic    # leave it out for every variant of the target
    ceiling: 1.6                          # the limit is 2.0; the lower bound must still reach this
    reason: The new kernel comes with the next runtime.
    owner: the inference team
    expires: 2031-05-01
    issue: "#17"
```

A gate that fails, or is undecided, and whose bound clears the ceiling keeps its verdict and no longer blocks. What was not
measured is never waived, and a variant of which every gate is waived is not the one that passes. After its last day (UTC)
a waiver does nothing; a waiver that does nothing, or ends within 14 days, is named in the report. `gatekeeper run` applies
the file beside the pipeline file, with a policy (`--policy-ref`, `--policy`) the one beside the policy instead;
`gatekeeper report` applies only the one named with `--waivers`.
"""


def page() -> str:
    """The whole page."""
    parts = [HEAD, *_sections(pipeline_schema(), "edge_ai_pipeline", "Pipeline")]
    return "\n".join([*parts, WAIVERS, *_sections(waivers_schema(), "waivers[]", "WaiverEntry")])


def _sections(schema: dict[str, Any], root: str, definition_name: str) -> list[str]:
    """A table for each section, from the outermost in."""
    definitions = schema["$defs"]
    parts: list[str] = []
    seen: list[str] = []
    queue = [(root, definition_name)]
    while queue:
        path, name = queue.pop(0)
        if path in seen:
            continue
        seen.append(path)
        definition = definitions[name]
        parts.append(f"## `{path}`\n\n{definition.get('description', '')}\n")
        parts.append(keys(definition) + "\n")
        for key, value in definition.get("properties", {}).items():
            if name not in ELSEWHERE:
                queue += [(f"{path}.{key}{suffix}", child) for child, suffix in _children(value)]
    return parts


def keys(definition: dict[str, Any]) -> str:
    """The table of a section's keys."""
    rows = ["| key | value | default | meaning |", "| --- | --- | --- | --- |"]
    for key, value in definition.get("properties", {}).items():
        default = _default(value, key in definition.get("required", []))
        rows.append(f"| `{key}` | {_value(value)} | {default} | {_meaning(value)} |")
    return "\n".join(rows)


def _children(value: dict[str, Any], suffix: str = "") -> list[tuple[str, str]]:
    """(definition, path suffix) of the sections a value may hold."""
    if "$ref" in value:
        return [(value["$ref"].rpartition("/")[2], suffix)]
    children = [child for branch in (*value.get("anyOf", []), *value.get("allOf", [])) for child in _children(branch, suffix)]
    if isinstance(value.get("items"), dict):
        children += _children(value["items"], suffix + "[]")
    return children


def _value(value: dict[str, Any]) -> str:
    if "anyOf" in value:
        return " or ".join(dict.fromkeys(shown for b in value["anyOf"] if (shown := _value(b)) != "empty"))
    if "$ref" in value or "allOf" in value:
        return "section"
    if "enum" in value:
        return ", ".join(f"`{v}`" for v in value["enum"])
    if value.get("type") == "array":
        inner = value.get("items") or {}
        return f"list of {_value(inner)}" if inner else "list"
    if value.get("type") == "object":
        inner = value.get("additionalProperties")
        return f"name -> {_value(inner)}" if isinstance(inner, dict) and inner else "section"
    bounds = [
        f"{sign} {value[key]:g}"
        for key, sign in (("minimum", "≥"), ("exclusiveMinimum", ">"), ("maximum", "≤"), ("exclusiveMaximum", "<"))
        if key in value
    ]
    names = {"string": "text", "number": "number", "integer": "whole number", "boolean": "true, false", "null": "empty"}
    kind = names.get(value.get("type", ""), "any")
    if value.get("examples"):
        kind = " like " + ", ".join(f"`{e}`" for e in value["examples"])
    return " ".join([kind.strip(), *bounds])


def _default(value: dict[str, Any], required: bool) -> str:
    if required:
        return "required"
    default = value.get("default")
    if default is None or isinstance(default, dict) or default == []:
        return ""
    if isinstance(default, list | tuple):
        return f"`[{', '.join(map(str, default))}]`"
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


def _meaning(value: dict[str, Any]) -> str:
    return str(value.get("description", "")).replace("|", "\\|").replace("\n", " ")
