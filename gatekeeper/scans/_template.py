"""What a chat template would do, told from its text: it is parsed and never rendered.

Templates are Jinja, which frameworks render in a sandbox without a limit of time. So a template can hang whoever asks the model
something, and reach for Python's insides where the sandbox has a hole.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from gatekeeper.scans._base import Found, Rule, Unscanned
from gatekeeper.scans._growth import grown
from gatekeeper.scans._sizes import NotKnown

RULES = {
    "template_loop": Rule(
        "A chat template that never ends, or makes very much of little: the first request hangs what serves the model.",
        "Take the template from the model's source again, or write one without it.",
    ),
    "template_insides": Rule(
        "A chat template that reaches for Python's insides (`__class__`, `|attr`) or for other files.",
        "Do not load the model. Take the template from its source again.",
    ),
}

MOST_TURNS = 100_000
"""Turns of loops of fixed length, one in the other; real templates have none that is longer than a few."""

MOST_REPEATED = 1_000_000
MOST_DOUBLED = 20
MAX_TEMPLATE = 1 << 20
_INSIDES = re.compile(r"__\w+__|\b(?:mro|func_globals|gi_frame|gi_code|cr_frame|f_globals|f_builtins|tb_frame|co_code)\b")
_FILES = ("Include", "Import", "FromImport", "Extends")


def judged(text: str, where: str) -> Iterator[Found]:
    """What is found in one template; `Unscanned` where it cannot be parsed, or nothing here can parse it."""
    if len(text) > MAX_TEMPLATE:
        raise Unscanned(f"{where} has more than {MAX_TEMPLATE >> 20} MB")
    try:
        from jinja2 import TemplateError
        from jinja2.sandbox import ImmutableSandboxedEnvironment
    except ImportError:
        from gatekeeper.version import install_hint

        raise Unscanned(
            f"{where} is a template, and nothing here can read it: jinja2 is missing. {install_hint('scan')}"
        ) from None
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols", "jinja2.ext.do"]
    )
    try:
        tree = environment.parse(_generation.sub("", text))
    except RecursionError:
        yield Found("template_loop", "it is nested deeper than it can be read", where)
        return
    except TemplateError as error:
        raise Unscanned(f"{where} is no template that can be read: {error}") from None
    yield from (Found("template_insides", what, where) for what in dict.fromkeys(_insides(tree)))
    yield from (Found("template_loop", what, where) for what in dict.fromkeys(_endless(tree)))
    try:
        yield from (Found("template_loop", what, where) for what in dict.fromkeys(grown(tree)))
    except NotKnown as error:
        raise Unscanned(f"{where} uses what no chat template has use for: {error}") from None
    except RecursionError:
        yield Found("template_loop", "it is nested deeper than it can be read", where)


def all_judged(texts: Iterable[tuple[str, str]], unread: list[str]) -> Iterator[Found]:
    """What is found in any of (name, text); why others cannot be read is added to `unread`, and hides nothing."""
    for name, text in texts:
        try:
            yield from judged(text, name)
        except Unscanned as error:
            unread.append(str(error))


_generation = re.compile(r"\{%-?\s*(?:end)?generation\s*-?%\}")
"""Marks that transformers adds to Jinja; they do nothing where nobody trains."""


def _walk(node: Any) -> Iterator[Any]:
    yield node
    for child in node.iter_child_nodes():
        yield from _walk(child)


def _kind(node: Any) -> str:
    return type(node).__name__


def _insides(tree: Any) -> Iterator[str]:
    for node in _walk(tree):
        kind = _kind(node)
        if kind in _FILES:
            yield f"line {node.lineno}: it reads another template"
        elif kind == "Getattr" and _INSIDES.search(node.attr):
            yield f"line {node.lineno}: .{node.attr}"
        elif kind == "Filter" and node.name in ("attr", "map") and _reaches(node):
            yield f"line {node.lineno}: |{node.name}, which takes any attribute by name"
        elif kind == "Const" and isinstance(node.value, str) and _PYTHON.search(node.value):
            yield f"line {node.lineno}: {node.value[:60]!r}"
        elif kind == "Getitem" and _put_together(node.arg):
            yield f"line {node.lineno}: a name with underscores that is put together"


def _put_together(key: Any) -> bool:
    parts = list(_walk(key))
    made = any(_kind(part) in ("Concat", "Add", "Filter", "Mod") for part in parts)
    return made and any("_" in str(part.value) for part in parts if _kind(part) == "Const")


_PYTHON = re.compile(
    r"__(?:class|mro|bases?|subclasses|init|globals|builtins|import|getattribute|getattr|dict|reduce(?:_ex)?|code|call|self|new|"
    r"module|loader|spec|wrapped|closure|func|name|qualname|doc)__"
)


def _reaches(node: Any) -> bool:
    """`|attr(x)` does for any x; `|map(attribute=x)` where x is not a plain name."""
    if node.name == "attr":
        return True
    for pair in node.kwargs:
        plain = _kind(pair.value) == "Const" and not _INSIDES.search(str(pair.value.value))
        if pair.key == "attribute" and not plain:
            return True
    return bool(node.args) and _kind(node.args[0]) == "Const" and node.args[0].value == "attr"


def _endless(tree: Any) -> Iterator[str]:
    lengths = {
        node.target.name: turns
        for node in _walk(tree)
        if _kind(node) == "Assign" and _kind(node.target) == "Name" and (turns := _turns(node.node, {})) > 1
    }
    yield from _loops(tree, 1, lengths)
    yield from _macros(tree)
    for node in _walk(tree):
        if _kind(node) == "Mul" and max(_least(node.left), _least(node.right)) > MOST_REPEATED:
            yield f"line {node.lineno}: something is repeated more than {MOST_REPEATED:,} times"
        elif _kind(node) == "Pow" and _least(node.right) > 64:
            yield f"line {node.lineno}: a power of {_least(node.right):,}"
        elif _kind(node) == "Filter" and node.name in ("center", "indent") and any(_least(a) > MOST_REPEATED for a in node.args):
            yield f"line {node.lineno}: a text of more than {MOST_REPEATED:,} characters"


def _loops(node: Any, turns: int, lengths: dict[str, int], doubled: list[int] | None = None) -> Iterator[str]:
    """Turns of all loops around, and texts that double in each of them."""
    doubled = [0] if doubled is None else doubled
    for child in node.iter_child_nodes():
        inner = turns
        if _kind(child) == "For":
            inner = turns * _turns(child.iter, lengths)
            if inner > MOST_TURNS:
                yield f"line {child.lineno}: {inner:,} turns of loops"
                continue
            if child.recursive and not _descends(child):
                yield f"line {child.lineno}: a loop that calls itself with what it was given"
        elif _kind(child) == "Assign" and _doubles(child):
            doubled[0] += turns
            if doubled[0] > MOST_DOUBLED:
                yield f"line {child.lineno}: a text that doubles more than {MOST_DOUBLED} times"
                continue
        yield from _loops(child, inner, lengths, doubled)


def _doubles(assign: Any) -> bool:
    """`x = x ~ x`, also of a namespace."""
    target = assign.target
    name = (target.name, target.attr) if _kind(target) == "NSRef" else (getattr(target, "name", None), "")

    def same(node: Any) -> bool:
        if _kind(node) == "Getattr" and _kind(node.node) == "Name":
            return (node.node.name, node.attr) == name
        return _kind(node) == "Name" and (node.name, "") == name

    return sum(same(node) for node in _walk(assign.node)) > 1 and any(
        _kind(node) in ("Concat", "Add", "Mul", "Filter") for node in _walk(assign.node)
    )


def _turns(node: Any, lengths: dict[str, int]) -> int:
    """How often a loop over it turns at least; 1 where nothing tells."""
    kind = _kind(node)
    if kind == "Call" and _kind(node.node) == "Name" and node.node.name == "range":
        bounds = [_least(argument) for argument in node.args]
        if len(bounds) >= 2:
            step = max(1, abs(bounds[2])) if len(bounds) > 2 else 1
            return max(1, abs(bounds[1] - (bounds[0] if _kind(node.args[0]) == "Const" else 0)) // step)
        return max(1, bounds[0]) if bounds else 1
    if kind == "Const" and isinstance(node.value, str):
        return max(1, len(node.value))
    if kind in ("List", "Tuple"):
        return max(1, len(node.items))
    if kind == "Name":
        return lengths.get(node.name, 1)
    if kind == "Filter" and node.name in ("list", "reverse", "sort", "batch") and node.node is not None:
        return _turns(node.node, lengths)
    if kind == "Mul":
        return (
            max(1, _least(node.left)) * _turns(node.right, lengths)
            if _least(node.left) > 1
            else max(1, _least(node.right)) * _turns(node.left, lengths)
        )
    return 1


def _least(node: Any, depth: int = 0) -> int:
    """A number as far as it is written there; what is not counts as 1."""
    kind = _kind(node)
    if depth > 50:
        return 1
    if kind == "Const" and isinstance(node.value, int | float) and not isinstance(node.value, bool):
        return int(node.value) if abs(node.value) < 1e18 else 10**18
    if kind in ("Mul", "Add", "Sub", "Pow"):
        left, right = _least(node.left, depth + 1), _least(node.right, depth + 1)
        if kind == "Pow":
            return min(10**18, left ** min(right, 64)) if left > 1 and right > 0 else 1
        return max(-(10**18), min(10**18, {"Mul": left * right, "Add": left + right, "Sub": left - right}[kind]))
    if kind == "Neg":
        return -_least(node.node, depth + 1)
    if kind == "Filter" and node.name in ("int", "abs", "round") and node.node is not None:
        return _least(node.node, depth + 1)
    return 1


def _macros(tree: Any) -> Iterator[str]:
    """Macros that call themselves, or one another, for ever. Some templates do so with the parts of what they were given."""
    macros = {node.name: node for node in _walk(tree) if _kind(node) == "Macro"}
    for name, macro in macros.items():
        parameters = {argument.name for argument in macro.args}
        own = [call for call in _calls(macro, macros) if name == call.node.name or name in _reached(call.node.name, macros)]
        if not own:
            continue
        always = [call for call in _calls(macro, macros, always=True) if call in own]
        same = [call for call in own if call.node.name == name and _unchanged(call, macro)]
        counted = [call for call in own if _counts(call, parameters, _parts(macro))]
        if always:
            yield f"line {macro.lineno}: the macro {name} calls itself whatever it is given"
        elif same:
            yield f"line {macro.lineno}: the macro {name} calls itself with what it was given"
        elif len(counted) > 1:
            yield f"line {macro.lineno}: the macro {name} calls itself {len(counted)} times for each step of a count"


def _calls(node: Any, macros: dict[str, Any], always: bool = False) -> list[Any]:
    """Calls of macros in it; `always`: only those that no condition and no loop stands before."""
    found = []
    for child in node.iter_child_nodes():
        if always and _kind(child) in ("If", "For", "CondExpr", "And", "Or") and not _constant(child):
            continue
        if _kind(child) == "Call" and _kind(child.node) == "Name" and child.node.name in macros:
            found.append(child)
        found += _calls(child, macros, always)
    return found


def _constant(node: Any) -> bool:
    """A condition that is always so."""
    return _kind(node) in ("If", "CondExpr") and _kind(node.test) == "Const" and bool(node.test.value)


def _reached(name: str, macros: dict[str, Any]) -> set[str]:
    found: set[str] = set()
    waiting = [name]
    while waiting:
        for call in _calls(macros[waiting.pop()], macros):
            if call.node.name not in found:
                found.add(call.node.name)
                waiting.append(call.node.name)
    return found


def _unchanged(call: Any, macro: Any) -> bool:
    given = [getattr(argument, "name", None) for argument in call.args]
    return not call.kwargs and given == [argument.name for argument in macro.args][: len(given)]


def _counts(call: Any, parameters: set[str], parts: set[str]) -> bool:
    """Whether nothing but a count differs from call to call; who is given a part of something ends with it."""
    steps = [a for a in call.args if _kind(a) in ("Sub", "Add") and _names(a) & parameters]
    rest = [a for a in call.args if a not in steps]
    return bool(steps) and all(_kind(a) in ("Name", "Const") and not _names(a) & parts for a in rest)


def _parts(macro: Any) -> set[str]:
    """Names that stand for a part of something in every place where they are set."""
    set_to = [(node.target.name, node.node) for node in _walk(macro) if _kind(node) == "Assign" and _kind(node.target) == "Name"]
    whole = {name for name, value in set_to if _kind(value) == "Name"} | {argument.name for argument in macro.args}
    taken = {name for name, value in set_to if _kind(value) in ("Getattr", "Getitem", "Call")}
    loops = [node for node in _walk(macro) if _kind(node) == "For" and _kind(node.iter) not in ("List", "Tuple")]
    return (taken | {name for loop in loops for name in _names(loop.target)}) - whole


def _names(node: Any) -> set[str]:
    return {part.name for part in _walk(node) if _kind(part) == "Name"}


def _descends(loop: Any) -> bool:
    """Whether a recursive loop calls itself only with a part of what it is at."""
    targets = _names(loop.target)
    calls = [node for node in _walk(loop) if _kind(node) == "Call" and _kind(node.node) == "Name" and node.node.name == "loop"]
    return all(
        any(_names(argument) & targets and _kind(argument) in ("Getattr", "Getitem", "Filter", "Call") for argument in call.args)
        for call in calls
    )
