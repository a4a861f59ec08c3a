"""Configurations of Hugging Face folders: code of the author's that loading would run, indexes that lead elsewhere, templates."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from gatekeeper.scans import _template
from gatekeeper.scans._base import Found, Rule, Saw, Seen, Unscanned
from gatekeeper.scans._inside import lies_inside

DESCRIPTION = "Hugging Face folders: code that a configuration names, indexes of weights, chat templates."
ORDER = 10
RULES = {
    "remote_code": Rule(
        "A configuration that names Python code, of the folder or of somebody's repository, to be run when the model is loaded.",
        "Do not load the model with trust_remote_code. Remove the key where the framework knows the family itself.",
    ),
    "index_path": Rule(
        "An index whose weights are read from outside of the model's folder.", "Do not load the model. Save it again."
    ),
    **_template.RULES,
}

MAX_CONFIG = 64 << 20
TEMPLATES = ("chat_template", "default_chat_template")
NAMES = {"auto_map", "custom_pipelines", "custom_pipeline", "_target_"}
"""Keys whose value names code, in whatever form: text, list, or object."""

LIBRARIES = {"diffusers", "sentence_transformers", "timm", "torch", "torchvision", "transformers"}
"""Packages whose classes an adapter may be for."""

SWITCHES = {"trust_remote_code"}
DATA = ("tokenizer.json", "vocab.json", "added_tokens.json", "merges.json")
"""Files of words, in which any key is a word."""


def takes(seen: Seen) -> bool:
    """JSON and templates, by their names."""
    return seen.suffix in (".json", ".jinja", ".jinja2")


def scan(seen: Seen) -> Iterator[Saw]:
    """Every key of every object, also one that stands there twice."""
    if seen.size > MAX_CONFIG:
        raise Unscanned(f"a text of more than {MAX_CONFIG >> 20} MB")
    with seen.opened() as file:
        raw = file.read(MAX_CONFIG)
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Unscanned("it is no UTF-8 text") from None
    if seen.suffix != ".json":
        yield from _template.judged(text, seen.name)
        return
    found: list[Saw] = []
    unread: list[str] = []
    words = seen.path.name in DATA

    def look(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if not words:
            found.extend(_pairs(seen, pairs, unread))
        return dict(pairs)

    try:
        whole = json.loads(text, object_pairs_hook=look)
    except (ValueError, RecursionError) as error:
        raise Unscanned(f"no JSON: {str(error)[:120]}") from None
    yield from found
    if seen.path.name == "modules.json":
        yield from _modules(seen, whole)
    if unread:  # said last: what was found still counts
        raise Unscanned("; ".join(unread)[:400])


def _pairs(seen: Seen, pairs: list[tuple[str, Any]], unread: list[str]) -> Iterator[Saw]:
    for key, value in pairs:
        if key in NAMES and value:
            yield Found("remote_code", json.dumps(value, ensure_ascii=False)[:160], key)
        elif key in SWITCHES and value not in (False, None, "", 0):
            yield Found("remote_code", "true" if value is True else json.dumps(value)[:80], key)
        elif key == "auto_mapping" and value:
            yield from _imported(value)
        elif key == "weight_map" and isinstance(value, dict):
            yield from _index(seen, value)
        elif key in TEMPLATES:
            yield from _template.all_judged(_texts(key, value), unread)


def _imported(mapping: Any) -> Iterator[Found]:
    """The module of an adapter's base model, which PEFT imports (src/peft/auto.py), whichever it is."""
    module = mapping.get("parent_library") if isinstance(mapping, dict) else mapping
    if not (isinstance(module, str) and module.split(".")[0] in LIBRARIES):
        yield Found("remote_code", json.dumps(mapping, ensure_ascii=False)[:160], "auto_mapping")


def _index(seen: Seen, places: dict[str, Any]) -> Iterator[Found]:
    for place in dict.fromkeys(str(each) for each in places.values()):
        if why := lies_inside(seen.root, seen.path.parent, place):
            yield Found("index_path", f"{place[:120]!r} {why}", "weight_map")


def _texts(key: str, value: Any) -> Iterator[tuple[str, str]]:
    """A template, or several by name, in any of the forms that there are."""
    if isinstance(value, str):
        yield key, value
    elif isinstance(value, list):
        for each in value:
            if isinstance(each, dict) and isinstance(each.get("template"), str):
                yield f"{key} {str(each.get('name'))[:40]!r}", each["template"]
    elif isinstance(value, dict):
        for name, text in value.items():
            if isinstance(text, str):
                yield f"{key} {name[:40]!r}", text


def _modules(seen: Seen, modules: Any) -> Iterator[Found]:
    """The parts of a model of sentence-transformers: classes by their name, and folders."""
    for each in modules if isinstance(modules, list) else ():
        kind, place = (str(each.get(key, "")) for key in ("type", "path")) if isinstance(each, dict) else ("", "")
        if kind and not kind.startswith("sentence_transformers."):
            yield Found("remote_code", kind[:120], "type")
        if place and (why := lies_inside(seen.root, seen.path.parent, place)):
            yield Found("index_path", f"{place[:120]!r} {why}", "path")
