"""Values set in the text of a pipeline file: nothing else of it changes, no comment, no blank, no order.

A library that reads YAML and writes it again (ruamel.yaml, round trip) keeps comments and lays everything else out anew: blanks
in flow style, indentation of lists, the width of lines. More changes then than was asked for. So the new value is put where the
parser says that the old one stands, and the result is read again and held against the same change of the plain data.
"""

from __future__ import annotations

import difflib
import math
import re
from dataclasses import dataclass
from typing import Any

import yaml

from gatekeeper.config.source import ROOT, Path_, parse_source, plain_nodes
from gatekeeper.errors import UsageError
from gatekeeper.records.repaired import Edit
from gatekeeper.repair.edits import applied

PASTE = "Write it there yourself, or spell the part out first."


def edited(text: str, path: str, edits: list[Edit]) -> str:
    """The text with these values set. `path` names it in messages; `UsageError` where more would change with them."""
    new = text
    for each in edits:
        new = _with(new, path, each)
    if parse_source(new, path).data != applied(parse_source(text, path).data, edits):
        said = "; ".join(str(each) for each in edits)
        raise UsageError(f"{path}: is written in a form that cannot be changed in place. Set {said}. {PASTE}")
    return new


def _with(text: str, path: str, edit: Edit) -> str:
    root = plain_nodes(text, path)
    shared = _shared(root)
    node, rest = root, (ROOT, *edit.path)
    while rest:
        if id(node) in shared:
            line = node.start_mark.line + 1
            said = f"{path}:{line}: {edit} cannot be set, as an anchor has this part stand in several places"
            raise UsageError(f"{said}, and all of them would change. {PASTE}")
        inner = _inner(node, rest[0])
        if inner is None:
            break
        node, rest = inner, rest[1:]
    if not rest and id(node) in shared:
        raise UsageError(f"{path}:{node.start_mark.line + 1}: {edit} cannot be set, as an alias has this value too. {PASTE}")
    return _put(text, node, rest, edit.value)


def _inner(node: yaml.Node, key: str | int) -> yaml.Node | None:
    """What stands at a key, or at a place of a list; None where nothing does."""
    if isinstance(node, yaml.MappingNode):
        found: yaml.Node | None = next((value for name, value in node.value if name.value == key), None)
        return found
    if isinstance(node, yaml.SequenceNode) and isinstance(key, int):
        inner: yaml.Node = node.value[key]
        return inner
    return None


def _put(text: str, node: yaml.Node, rest: Path_, value: Any) -> str:
    """`value` at the path `rest` below a node that has none of it."""
    for key in reversed(rest[1:]):
        value = {key: value}
    if isinstance(node, yaml.MappingNode) and rest:
        return _added(text, node, f"{_flow(rest[0])}: {_flow(value)}")
    start, end = node.start_mark.index, node.end_mark.index
    if isinstance(node, yaml.CollectionNode) and not node.flow_style:
        end = _content_end(node)
    if rest:  # a value that holds nothing yet: `int8_static`, or nothing at all after a colon
        value = {rest[0]: value}
    before = " " if start == end and text[start - 1 : start] in (":", "-") else ""
    return text[:start] + before + _flow(value) + text[end:]


def _added(text: str, node: yaml.MappingNode, pair: str) -> str:
    """A mapping with a pair more, behind all others."""
    if node.flow_style:
        if not node.value:
            return text[: node.end_mark.index - 1] + pair + text[node.end_mark.index - 1 :]
        end = node.value[-1][1].end_mark.index
        return f"{text[:end]}, {pair}{text[end:]}"
    newline = "\r\n" if "\r\n" in text else "\n"
    indent = " " * node.value[0][0].start_mark.column
    line_end = text.find("\n", _content_end(node))
    if line_end < 0:
        return f"{text}{newline}{indent}{pair}"
    return f"{text[: line_end + 1]}{indent}{pair}{newline}{text[line_end + 1 :]}"


def _content_end(node: yaml.Node) -> int:
    """Where what is written of a node ends: of a block the parser says where the next thing begins."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _content_end(last[1] if isinstance(last, tuple) else last)
    return int(node.end_mark.index)


def _flow(value: Any) -> str:
    """On one line, as it may stand anywhere."""
    text = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, allow_unicode=True, width=math.inf)
    return text.removesuffix("...\n").strip()


def _shared(root: yaml.Node) -> set[int]:
    """Nodes that stand in several places."""
    seen: dict[int, int] = {}
    waiting = [root]
    while waiting:
        node = waiting.pop()
        seen[id(node)] = seen.get(id(node), 0) + 1
        if seen[id(node)] == 1 and isinstance(node, yaml.CollectionNode):
            waiting += [part for each in node.value for part in (each if isinstance(each, tuple) else (each,))]
    return {name for name, count in seen.items() if count > 1}


def diff(old: str, new: str, path: str) -> str:
    """A diff that `git apply` takes, from the folder that `path` is seen from."""
    found = difflib.unified_diff(_lines(old), _lines(new), f"a/{path}", f"b/{path}")
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in found)


@dataclass(frozen=True)
class Stretch:
    """The lines of a file, from 1, that a change replaces, and what stands there then. `first` is 0 where there are several."""

    first: int = 0
    last: int = 0
    replacement: str = ""


def stretch(old: str, new: str) -> Stretch:
    """The one stretch that changed. A line that is only added replaces the one before it."""
    before, after = _lines(old), _lines(new)
    changed = [each for each in difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes() if each[0] != "equal"]
    if len(changed) != 1:
        return Stretch()
    _, first, last, there, to = changed[0]
    if first == last and first > 0:
        first, there = first - 1, there - 1
    return Stretch(first + 1, last, "".join(after[there:to]).rstrip("\n"))


def _lines(text: str) -> list[str]:
    """Lines as git has them, with their ends."""
    return re.findall(r"[^\n]*\n|[^\n]+", text)
