"""Strict YAML: plain data in which every value keeps its line and column.

Stricter than YAML 1.1 where that has cost people dearly: duplicate keys, tags, infinities and merge keys are
errors, `1:30` and `off` are text, and anchors cannot expand beyond a limit.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from gatekeeper.errors import ConfigError, Problem, UsageError

ROOT = "edge_ai_pipeline"
"""The key of a pipeline file that holds all others."""
MAX_BYTES = 1 << 20
MAX_NODES = 20_000
MAX_DEPTH = 50

Path_ = tuple[str | int, ...]

_SCALARS = (
    ("null", r"null|Null|NULL|~|"),
    ("bool", r"true|True|TRUE|false|False|FALSE"),
    ("int", r"[-+]?[0-9]+"),
    ("float", r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"),
    ("nonfinite", r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"),
)
_PREFIX = "tag:yaml.org,2002:"


class _Loader(yaml.SafeLoader):
    """Resolves scalars by the YAML 1.2 core schema; nothing is constructed by PyYAML."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}


_FORMS = {tag: re.compile(rf"^(?:{pattern})\Z") for tag, pattern in _SCALARS}
for _tag, _form in _FORMS.items():
    _Loader.add_implicit_resolver(_PREFIX + _tag, _form, None)


@dataclass(frozen=True)
class Source:
    """A parsed file: `data`, and where each value (`values`) and each key (`keys`) stands, from 1."""

    path: str
    data: Any
    values: dict[Path_, tuple[int, int]]
    keys: dict[Path_, tuple[int, int]]

    def where(self, path: Path_) -> str:
        """`file:line` of the nearest enclosing thing that is in the file."""
        for end in range(len(path), -1, -1):
            mark = self.keys.get(path[:end]) or self.values.get(path[:end])
            if mark:
                return f"{self.path}:{mark[0]}"
        return f"{self.path}:1"


@dataclass
class _Walk:
    problems: list[Problem] = field(default_factory=list)
    values: dict[Path_, tuple[int, int]] = field(default_factory=dict)
    keys: dict[Path_, tuple[int, int]] = field(default_factory=dict)
    nodes: int = 0

    def problem(self, node: yaml.Node, message: str) -> None:
        self.problems.append(Problem(*_mark(node), message))

    def value(self, node: yaml.Node, path: Path_) -> Any:
        self.nodes += 1
        if self.nodes > MAX_NODES or len(path) > MAX_DEPTH:
            raise _TooLarge(node)
        self.values[path] = _mark(node)
        if isinstance(node, yaml.CollectionNode) and node.tag not in (_PREFIX + "map", _PREFIX + "seq"):
            self.problem(node, f"the tag '{node.tag}' is not allowed here. Write a plain value.")
            return None
        if isinstance(node, yaml.MappingNode):
            return self.mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, (*path, i)) for i, item in enumerate(node.value)]
        return self.scalar(node)

    def mapping(self, node: yaml.MappingNode, path: Path_) -> dict[str, Any]:
        entries: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                self.problem(key_node, "a key must be a plain word. Remove the brackets.")
                continue
            if key_node.tag.removeprefix(_PREFIX) not in ("str", *_FORMS):
                self.problem(key_node, f"the tag '{key_node.tag}' is not allowed here. Write a plain key.")
                continue
            key = key_node.value
            if key in entries:
                first = self.keys[(*path, key)][0]
                self.problem(key_node, f"the key '{key}' is already given on line {first}. Keep one of them.")
                continue
            self.keys[(*path, key)] = _mark(key_node)
            entries[key] = self.value(value_node, (*path, key))
        return entries

    def scalar(self, node: yaml.Node) -> Any:
        text, tag = node.value, node.tag.removeprefix(_PREFIX)
        if tag in _FORMS and not _FORMS[tag].match(text):  # an explicit tag on something else: `!!int abc`
            self.problem(node, f"'{text}' is not of the type that '!!{tag}' says. Write a plain value.")
            return None
        if tag == "null":
            return None
        if tag == "bool":
            return text.lower() == "true"
        if tag in ("int", "float"):
            number = int(text) if tag == "int" and len(text) < 20 else float(text)
            if not math.isfinite(number):
                self.problem(node, f"'{text}' is too large for a number.")
                return None
            return number
        if tag == "nonfinite":
            self.problem(node, f"'{text}' is not a number that can be measured against. Give a finite number.")
            return None
        if tag == "str":
            return text
        self.problem(node, f"the tag '{node.tag}' is not allowed here. Write a plain value.")
        return None


class _TooLarge(Exception):
    def __init__(self, node: yaml.Node):
        self.node = node


def _mark(node: yaml.Node) -> tuple[int, int]:
    return node.start_mark.line + 1, node.start_mark.column + 1


INIT = "`gatekeeper init` writes one."


def read_source(path: Path, remedy: str = INIT) -> Source:
    """Parse a file; every problem of its text is in the `ConfigError`. `remedy` says where such a file comes from."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise UsageError(f"{path}: larger than {MAX_BYTES} bytes. Such a file is a few hundred lines at most.")
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise UsageError(f"{path}: no such file. {remedy}") from None
    except IsADirectoryError:
        raise UsageError(f"{path}: is a folder. Name the file in it.") from None
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: not UTF-8 text (byte {error.start}). Save it as UTF-8.") from None
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}.") from None
    return parse_source(text, str(path), remedy)


def parse_source(text: str, path: str, remedy: str = INIT) -> Source:
    """Parse text; `path` names it in messages."""
    node = plain_nodes(text, path, remedy)
    walk = _Walk()
    try:
        data = walk.value(node, ())
    except (_TooLarge, RecursionError) as error:
        line, column = _mark(error.node) if isinstance(error, _TooLarge) else (1, 1)
        message = f"anchors expand to more than {MAX_NODES} values or {MAX_DEPTH} levels. Write the values out."
        raise ConfigError(path, [Problem(line, column, message)]) from None
    if walk.problems:
        raise ConfigError(path, walk.problems)
    return Source(path=path, data=data, values=walk.values, keys=walk.keys)


def plain_nodes(text: str, path: str, remedy: str = INIT) -> yaml.Node:
    """The parsed text before any of it is a value: each node knows where it stands."""
    try:
        node = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        message = error.problem or "not YAML"
        if "'\\t'" in message:
            message = "a tab cannot indent YAML. Use spaces."
        context = f" ({error.context})" if error.context and error.context not in message else ""
        raise ConfigError(path, [Problem(line, column, f"{message}{context}")]) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise ConfigError(path, [Problem(line, 1, f"the character U+{error.character:04X} is not allowed in YAML.")]) from None
    except (ValueError, OverflowError):  # PyYAML lets some of its own slip: `"\\UFFFFFFFF"`, `%YAML 1.111...`
        raise ConfigError(path, [Problem(1, 1, "an escape or a directive in it is not valid YAML. Write plain text.")]) from None
    except RecursionError:
        raise ConfigError(path, [Problem(1, 1, f"nested more than {MAX_DEPTH} deep.")]) from None
    if node is None:
        raise ConfigError(path, [Problem(1, 1, f"the file is empty. {remedy}")])
    return node
