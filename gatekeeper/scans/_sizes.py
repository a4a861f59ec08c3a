"""Upper bounds of the expressions of a chat template.

The size of a number is its value, of a text or a list how much it holds; what the template is given counts as nothing: whoever
asks chose it. What is not known here (filters, methods and functions that no chat template has use for) has no bound.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from gatekeeper.scans._vocabulary import ADDS, FILLS, GLOBALS, LIPSUM, NUMBERS, PADS, REPEATS, SAME_FILTERS, SAME_METHODS

HUGE = 10**18


class NotKnown(Exception):
    """Something that has no bound here; says what."""


def kind_of(node: Any) -> str:
    return type(node).__name__


def walk(node: Any) -> Iterator[Any]:
    yield node
    for child in node.iter_child_nodes():
        yield from walk(child)


def method(call: Any) -> str:
    """The name of a method that is called; `x['y']()` calls it just as well."""
    if kind_of(call.node) == "Getattr":
        return str(call.node.attr)
    if kind_of(call.node) == "Getitem" and kind_of(call.node.arg) == "Const" and isinstance(call.node.arg.value, str):
        return call.node.arg.value
    return ""


class Sizes:
    """Upper bounds of a template's expressions; `given` holds every expression that a name may stand for."""

    def __init__(self, tree: Any):
        self.given: dict[str, list[Any]] = defaultdict(list)
        self.parameters = {a.name for node in walk(tree) if kind_of(node) == "Macro" for a in node.args}
        self.macros = {node.name: node for node in walk(tree) if kind_of(node) == "Macro"}
        self.known: dict[str, int] = {}
        self.open: list[str] = []
        self.parts, self.again = set[str](), set[str]()
        for node in walk(tree):
            self._gives(node)

    def _gives(self, node: Any) -> None:
        kind = kind_of(node)
        if kind == "Assign":
            self._set(node.target, node.node)
        elif kind == "For":
            self._set(node.target, node.iter, each=True)
        elif kind == "AssignBlock":
            self.given[_name(node.target)].append(node)
        elif kind == "With":
            for target, value in zip(node.targets, node.values, strict=False):
                self._set(target, value)
        elif kind == "Macro":
            defaults = node.defaults
            for argument, value in zip(node.args[len(node.args) - len(defaults) :], defaults, strict=False):
                self.given[argument.name].append(value)
        elif kind == "Call" and kind_of(node.node) == "Name" and node.node.name in self.macros:
            names = [argument.name for argument in self.macros[node.node.name].args]
            for name, value in zip([*names, *["varargs"] * len(node.args)], node.args, strict=False):
                self.given[name].append(value)
            for pair in node.kwargs:
                self.given[pair.key if pair.key in names else "kwargs"].append(pair.value)
            for value in (node.dyn_args, node.dyn_kwargs):
                for name in [*names, "varargs", "kwargs"] if value is not None else ():
                    self.given[name].append(value)

    def _set(self, target: Any, value: Any, each: bool = False) -> None:
        if kind_of(target) == "Tuple":
            paired = kind_of(value) == "Tuple" and len(value.items) == len(target.items) and not each
            for i, inner in enumerate(target.items):
                self._set(inner, value.items[i] if paired else value)
            return
        if each and kind_of(value) in ("List", "Tuple"):
            for item in value.items:
                self._set(target, item)
            return
        self.given[_name(target)].append(value)
        if each:
            self.parts.add(_name(target))
        if kind_of(value) == "Call" and getattr(value.node, "name", "") == "namespace":
            for pair in value.kwargs:
                self.given[f"{_name(target)}.{pair.key}"].append(pair.value)

    def of(self, node: Any) -> int:
        """The size of an expression at the most."""
        made = getattr(self, f"_{kind_of(node).lower()}", None)
        return min(HUGE, int(made(node) if made else self._all(node)))

    def turns(self, node: Any) -> int:
        """How often a loop over it turns at the most."""
        kind = kind_of(node)
        if kind in ("List", "Tuple", "Dict"):
            return len(node.items)
        if kind == "Filter" and node.name in SAME_FILTERS and node.node is not None:
            return self.turns(node.node)
        if kind == "Call" and method(node) in SAME_METHODS:
            return self.turns(node.node.node)
        if kind in ("CondExpr", "Or", "And"):
            whole = (node.expr1, node.expr2) if kind == "CondExpr" else (node.left, node.right)
            return max(self.turns(each) for each in whole if each is not None)
        if kind in ("Name", "Getattr", "Getitem"):
            name = _name_of(node)
            if name in self.open or name in self.parts or not self.given.get(name):
                return self.of(node) if name not in self.open and name not in self.parts and self._literal(node) else 1
            self.open.append(name)
            most = max(self.turns(each) for each in self.given[name])
            self.open.pop()
            return most
        return self.of(node)

    def _literal(self, node: Any) -> bool:
        """Whether it is a part of something that the template itself holds, as `{'a': 'xx'}.a` is."""
        while kind_of(node) in ("Getattr", "Getitem"):
            node = node.node
        return kind_of(node) not in ("Name", "Call", "Filter")

    def _all(self, node: Any) -> int:
        return sum(self.of(child) for child in node.iter_child_nodes())

    def _const(self, node: Any) -> int:
        if isinstance(node.value, str):
            return len(node.value)
        if isinstance(node.value, int | float) and abs(node.value) < HUGE:
            return int(abs(node.value))
        return 0 if node.value is None else HUGE

    def _templatedata(self, node: Any) -> int:
        return len(node.data)

    def _compare(self, _: Any) -> int:
        return 1

    _test = _not = _compare

    def _condexpr(self, node: Any) -> int:
        return max(self.of(node.expr1), self.of(node.expr2) if node.expr2 is not None else 0)

    def _or(self, node: Any) -> int:
        return max(self.of(node.left), self.of(node.right))

    _and = _or

    def _list(self, node: Any) -> int:
        return len(node.items) + sum(self.of(each) for each in node.items)

    def _name(self, node: Any) -> int:
        return self._named(node.name)

    def _nsref(self, node: Any) -> int:
        return self._named(f"{node.name}.{node.attr}")

    def _named(self, name: str) -> int:
        if name in self.known:
            return self.known[name]
        if name in self.open:
            self.again.add(name)
            return 0
        self.open.append(name)
        try:
            size = max((self.of(each) for each in self.given.get(name, ())), default=0)
        finally:
            self.open.pop()
            self.again.discard(name)
        if not self.again:
            self.known[name] = size
        return size

    def _getattr(self, node: Any) -> int:
        return self._part(node.node, node.attr)

    def _getitem(self, node: Any) -> int:
        key = node.arg
        return self._part(node.node, key.value if kind_of(key) == "Const" else "")

    def _part(self, whole: Any, key: Any) -> int:
        """No part is larger than the whole; those of a namespace have bounds of their own."""
        if kind_of(whole) == "Name" and f"{whole.name}.{key}" in self.given:
            return self._named(f"{whole.name}.{key}")
        return self.of(whole)

    def _add(self, node: Any) -> int:
        return self._sum([node.left, node.right])

    def _concat(self, node: Any) -> int:
        return self._sum(node.nodes)

    def _sum(self, parts: list[Any]) -> int:
        """Two parts that both hold the whole of what the sum is kept as: it doubles each time."""
        held = [self._held(part) for part in parts]
        lasting = {name for name in self.open if "." in name or name in self.parameters}
        twice = any(sum(name in each for each in held) > 1 for name in lasting)
        return HUGE if twice else sum(map(self.of, parts))

    def _held(self, node: Any, seen: frozenset[str] = frozenset()) -> frozenset[str]:
        """The names whose whole value is part of an expression's."""
        kind, name = kind_of(node), ""
        if kind == "Name":
            name = node.name
        elif kind == "Getattr" and kind_of(node.node) == "Name":
            name = f"{node.node.name}.{node.attr}"
        if name:
            inner = (
                []
                if name in seen or name in self.parts
                else [self._held(each, seen | {name}) for each in self.given.get(name, ())]
            )
            return frozenset({name}).union(*inner)
        if kind == "CondExpr":
            return self._held(node.expr1, seen).union(self._held(node.expr2, seen) if node.expr2 is not None else ())
        if kind in ("Concat", "Add", "Or", "And", "AssignBlock", "Output") or (
            kind == "Filter" and (node.name in REPEATS or node.name in ("string", "trim", "upper", "lower", "safe", "title"))
        ):
            return frozenset().union(*(self._held(child, seen) for child in node.iter_child_nodes()))
        return frozenset()

    def _mul(self, node: Any) -> int:
        return self._times(node.left, node.right)

    def _times(self, left: Any, right: Any) -> int:
        """A product of what it is kept as: it grows by a factor each time."""
        before, self.again = self.again, set()
        size = max(1, self.of(left)) * max(1, self.of(right))
        itself, self.again = bool(self.again), self.again | before
        return HUGE if itself else size

    def _pow(self, node: Any) -> int:
        left, right = self.of(node.left), self.of(node.right)
        return 1 if left < 2 else HUGE if right > 60 else left**right

    def _div(self, node: Any) -> int:
        right = node.right
        below_one = kind_of(right) == "Const" and isinstance(right.value, float) and 0 < abs(right.value) < 1
        return int(min(HUGE, self.of(node.left) / (abs(right.value) if below_one else 1)))

    _floordiv = _div

    def _mod(self, node: Any) -> int:
        if _number(node.left):
            return self.of(node.right)
        return self._format(node.left, [node.right], r"%")

    def _format(self, text: Any, arguments: list[Any], mark: str) -> int:
        """The widths that stand in a text of formats, and those that come from elsewhere."""
        texts = list(self._texts(text))
        if not any(mark in each for each in texts) and mark == "%":
            return self.of(text) + sum(map(self.of, arguments))
        whole = kind_of(text) == "Const" or (
            kind_of(text) == "Name" and all(kind_of(each) == "Const" for each in self.given[text.name])
        )
        if not whole or not texts:
            raise NotKnown("a text of formats that is put together")
        widths = sum(min(HUGE, int(run[:19])) for each in texts for run in re.findall(r"\d+", each))
        fields = max(each.count(mark) for each in texts)
        return max(map(len, texts)) + widths + (1 + fields) * sum(map(self.of, arguments))

    def _texts(self, node: Any, seen: frozenset[str] = frozenset()) -> Iterator[str]:
        """Every text that may have become part of one."""
        if kind_of(node) == "Const":
            yield from [node.value] if isinstance(node.value, str) else []
        elif kind_of(node) == "Name" and node.name not in seen:
            for each in self.given.get(node.name, ()):
                yield from self._texts(each, seen | {node.name})
        elif kind_of(node) == "Getattr" and kind_of(node.node) == "Name":
            name = f"{node.node.name}.{node.attr}"
            for each in self.given.get(name, ()) if name not in seen else ():
                yield from self._texts(each, seen | {name})
        elif kind_of(node) == "Getitem":
            yield from self._texts(node.node, seen)
        else:
            for child in node.iter_child_nodes():
                yield from self._texts(child, seen)

    def _filter(self, node: Any) -> int:
        arguments = _arguments(node)
        subject = self.of(node.node) if node.node is not None else 0
        if node.name == "map" and node.args:
            if kind_of(node.args[0]) == "Const":
                return self._applied(str(node.args[0].value), node.node, subject, arguments[1:])
            raise NotKnown("|map with a filter that is put together")
        return self._applied(node.name, node.node, subject, arguments)

    def _applied(self, name: str, given: Any, subject: int, arguments: list[Any]) -> int:
        if name in ("int", "float") and given is not None:
            return self._digits(given, subject)
        if name == "round":
            return int(max(1, subject) * 10 ** min(18, sum(map(self.of, arguments[:1]))))
        if name == "format":
            return self._format(given, arguments, "%")
        if name not in SAME_FILTERS and name not in PADS and name not in REPEATS:
            raise NotKnown(f"|{name}, a filter that is not known")
        return self._made(name, subject, arguments)

    def _digits(self, given: Any, subject: int) -> int:
        """A text read as a number: six digits are a million."""
        if kind_of(given) == "Const":
            return _as_number(given.value)
        if _number(given):
            return subject
        digits = sum(character.isdigit() for each in self._texts(given) for character in each)
        return subject if not digits else int(10 ** min(18, max(digits, subject)))

    def _made(self, name: str, subject: int, arguments: list[Any]) -> int:
        if name == "replace" and len(arguments) > 1 and kind_of(arguments[0]) == "Const" and arguments[0].value:
            old, new = len(str(arguments[0].value)), self.of(arguments[1])
            return subject // old * new + subject % old + new if new > old else subject
        told = sum(map(self.of, arguments))
        if name in REPEATS:
            return max(1, subject) * max(1, told) + subject
        return subject + told if name in PADS or name in ADDS else subject

    def _call(self, node: Any) -> int:
        arguments = _arguments(node)
        if kind_of(node.node) == "Name":
            return self._called(node.node.name, node, arguments)
        name = method(node)
        subject = self.of(node.node.node) if name else 0
        if name in ("format", "format_map"):
            return self._format(node.node.node, arguments, "{")
        if name == "join":
            return self._made(name, subject, arguments)
        if name in FILLS:
            own = self._held(node.node.node)
            if any(own & self._held(each) for each in arguments):
                return HUGE
        elif name not in SAME_METHODS and name not in PADS and name not in REPEATS:
            raise NotKnown(f"{name or 'something'}(), a method that is not known")
        return self._made(name, subject, arguments)

    def _called(self, name: str, node: Any, arguments: list[Any]) -> int:
        told = sum(map(self.of, arguments))
        if name in self.macros:
            return self._body(f"{name}()", self.macros[name]) + told
        if name not in GLOBALS:
            raise NotKnown(f"{name}(), a function that is not known")
        return LIPSUM * max(5, told) * (1 if len(arguments) < 2 else max(1, told)) if name == "lipsum" else told

    def _body(self, name: str, node: Any) -> int:
        """What a macro writes; one that calls itself does so with a part of what it was given, or is told of elsewhere."""
        if name in self.known:
            return self.known[name]
        self.known[name] = 1
        self.known[name] = 1 + sum(self._written(each) for each in node.body)
        return self.known[name]

    def _assignblock(self, node: Any) -> int:
        return sum(self._written(each) for each in node.body)

    def _written(self, node: Any) -> int:
        if kind_of(node) == "For":
            return max(1, self.turns(node.iter)) * sum(self._written(each) for each in node.body)
        if kind_of(node) == "If":
            ways = [node.body, *(each.body for each in node.elif_), node.else_]
            return max(sum(self._written(each) for each in way) for way in ways)
        if kind_of(node) in ("Output", "Scope", "FilterBlock", "CallBlock", "With"):
            return sum(self._written(each) for each in node.iter_child_nodes())
        return 0 if kind_of(node) in ("Assign", "AssignBlock", "Macro") else self.of(node)


def _arguments(node: Any) -> list[Any]:
    pairs = [pair.value for pair in node.kwargs]
    return [*node.args, *pairs, *(each for each in (node.dyn_args, node.dyn_kwargs) if each is not None)]


def _name(target: Any) -> str:
    return f"{target.name}.{target.attr}" if kind_of(target) == "NSRef" else str(getattr(target, "name", ""))


def _name_of(node: Any) -> str:
    """What a name or a part of a namespace is kept under."""
    if kind_of(node) == "Name":
        return str(node.name)
    key = node.attr if kind_of(node) == "Getattr" else getattr(node.arg, "value", "")
    return f"{node.node.name}.{key}" if kind_of(node.node) == "Name" else ""


def _number(node: Any) -> bool:
    """Whether it cannot be a text."""
    if kind_of(node) == "Const":
        return not isinstance(node.value, str)
    return kind_of(node) in ("Sub", "Neg", "Div", "FloorDiv", "Pow") or (kind_of(node) == "Filter" and node.name in NUMBERS)


def _as_number(value: Any) -> int:
    try:
        return int(min(HUGE, abs(float(value))))
    except (TypeError, ValueError, OverflowError):
        return 1
