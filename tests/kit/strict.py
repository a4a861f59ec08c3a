"""Objects of Kubernetes held to schemas of its own and of custom resources, by which an unknown key is wrong."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

KUBERNETES = "1.34"
CRDS = Path(__file__).parent / "crds"
FREE = ("labels", "matchLabels", "annotations", "limits", "requests", "services")
"""Below these users name the keys themselves."""


@cache
def schemas() -> ModuleType:
    """kubernetes-validate, which else reads megabytes of schemas for each object anew."""
    from kubernetes_validate import utils

    utils.schema_contents, utils.all_versions = cache(utils.schema_contents), cache(utils.all_versions)
    return utils


def strict(document: Any) -> None:
    """By the schema of its kind."""
    if (own := _custom().get((document["apiVersion"], document["kind"]))) is None:
        schemas().validate(document, KUBERNETES, strict=True)
        return
    own.validate(document)
    spec = document["spec"]
    if document["kind"] == "Rollout":  # whose definition leaves its pods open: they are a Deployment's
        told = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": document["metadata"]}
        strict(told | {"spec": {key: spec[key] for key in ("selector", "template")}})


def misspelt(document: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """The document with one key of it misspelt, for each there is but those that users name themselves."""
    here = document
    for key in path:
        here = here[key]
    for key in list(here) if isinstance(here, dict) else range(len(here)) if isinstance(here, list) else ():
        free = path and path[-1] in FREE
        if isinstance(here, dict) and not free and "/" not in key:
            wrong = copy.deepcopy(document)
            place = wrong
            for step in path:
                place = place[step]
            place[f"{key}x"] = place.pop(key)
            yield (*path, key), wrong
        yield from misspelt(document, (*path, key))


@cache
def _custom() -> dict[tuple[str, str], Any]:
    from jsonschema.validators import Draft202012Validator

    found = {}
    for path in sorted(CRDS.glob("*.json")):
        about = json.loads(path.read_text())
        schema = _closed(about["schema"])
        text = {"type": "object", "additionalProperties": {"type": "string"}}
        about_it = {"name": {"type": "string"}, "labels": text, "annotations": text}
        schema["properties"]["metadata"] = {
            "type": "object",
            "properties": about_it,
            "required": ["name"],
            "additionalProperties": False,
        }
        schema["required"] = ["apiVersion", "kind", "metadata", "spec"]
        found[f"{about['group']}/{about['version']}", about["kind"]] = Draft202012Validator(schema)
    return found


def _closed(schema: Any) -> Any:
    """With no key that it does not name, where it does not say that it is open."""
    if isinstance(schema, list):
        return [_closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    made = {
        key: _closed(value) if key != "properties" else {n: _closed(v) for n, v in value.items()} for key, value in schema.items()
    }
    if made.get("x-kubernetes-int-or-string"):
        made.pop("type", None)
    if "properties" in made and not made.get("x-kubernetes-preserve-unknown-fields"):
        made.setdefault("additionalProperties", False)
    return made
