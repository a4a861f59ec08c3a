"""Chat templates that make much of little: a small number shows that they grow when rendered, a large one is judged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from kit import hostile_models as made

from gatekeeper.scans import _template
from gatekeeper.scans._base import Unscanned
from gatekeeper.scans._scanning import scan_model
from gatekeeper.scans._work import Look, Looked, look

SMALL, LARGE = 3000, 99_999_999
GROWS = {
    "percent": "{{ '%Nd' % 1 }}",
    "star": "{{ '%*d' % (N, 1) }}",
    "named format": "{% set f = '%Nd' %}{{ f % 1 }}",
    "format filter": "{{ '%Nd' | format(1) }}",
    "braces": "{{ '{:>N}'.format(1) }}",
    "braces of braces": "{{ '{:>{w}}'.format(1, w=N) }}",
    "ljust": "{{ 'a'.ljust(N) }}",
    "rjust": "{{ 'a'.rjust(N) }}",
    "zfill": "{{ 'a'.zfill(N) }}",
    "center": "{{ 'a'.center(N) }}",
    "by name": "{{ 'a'['ljust'](N) }}",
    "unpacked": "{{ 'a'.center(*[N]) }}",
    "expandtabs": "{{ '\\t'.expandtabs(N) }}",
    "tojson": "{{ [1] | tojson(indent=N) }}",
    "batch": "{{ [1] | batch(N, 1) | list }}",
    "slice": "{{ [1] | slice(N) | list }}",
    "range": "{{ range(N) | list }}",
    "indent": "{{ 'a\nb' | indent(width=N) }}",
    "lipsum": "{{ lipsum(n=N) }}",
    "round": "{{ 'a' * (1.5 | round(N) | int) ~ 'a' * N }}",
    "map": "{{ ['a'] | map('center', N) | join }}",
    "filter block": "{% filter center(N) %}a{% endfilter %}",
    "replace": "{{ ('a' * 99) | replace('a', 'b' * N) }}",
    "join": "{{ (['a'] * 99) | join('b' * N) }}",
    "joined": "{{ ('b' * N).join(['a'] * 99) }}",
    "wordwrap": "{{ 'a b c' | wordwrap(1, wrapstring='x' * N) }}",
    "named": "{% set n = N %}{{ 'a'.center(n) }}",
    "with": "{% with n = N %}{{ 'a'.center(n) }}{% endwith %}",
    "of a namespace": "{% set ns = namespace(n=N) %}{{ 'a'.center(ns.n) }}",
    "of an object": "{% set d = {'n': N} %}{{ 'a'.center(d.n) }}",
    "in a list": "{% for n in [N] %}{{ 'a'.center(n) }}{% endfor %}",
    "of a macro": "{% macro f(n) %}{{ 'a'.center(n) }}{% endmacro %}{{ f(N) }}",
    "by keyword": "{% macro f(n=1) %}{{ 'a'.center(n) }}{% endmacro %}{{ f(n=N) }}",
    "where it may be": "{{ 'a'.center(N if messages else 4) }}",
    "of a text": "{{ 'a'.center('N' | int) }}",
    "divided": "{{ 'a'.center((N / 0.5) | int) }}",
    "caught": "{% set x %}{{ 'a' * N }}{% endset %}{{ x }}",
}
REPEATED = {
    "multiplied": "{% set ns = namespace(n=10) %}{% for m in messages %}{% set ns.n = ns.n * 10 %}{% endfor %}"
    "{{ 'a'.ljust(ns.n) }}",
    "doubled by each message": "{% set ns = namespace(x='a') %}{% for m in messages %}{% set ns.x = ns.x ~ ns.x %}"
    "{% endfor %}{{ ns.x }}",
    "by turns": "{% set ns = namespace(a='x', b='y') %}{% for m in messages %}{% set ns.a = ns.b ~ ns.b %}{% set ns.b = ns.a %}"
    "{% endfor %}{{ ns.a }}",
    "macros of macros": "{% macro m0() %}xxxx{% endmacro %}"
    + "".join(f"{{% macro m{i}() %}}{{{{ m{i - 1}() }}}}{{{{ m{i - 1}() }}}}{{% endmacro %}}" for i in range(1, 40))
    + "{{ m39() }}",
}
NOT_KNOWN = {
    "a filter": "{{ messages | whatever }}",
    "a method": "{{ messages.whatever() }}",
    "a function": "{{ whatever() }}",
    "a method kept": "{% set f = 'a'.ljust %}{{ f(99999999) }}",
    "a format put together": "{% set f = '%9' ~ '9999999d' %}{{ f % 1 }}",
    "a format in a list": "{{ ['%99999999d'][0] % 1 }}",
    "a format made by a format": "{{ ('%s99999999d' % '%') % 1 }}",
}
SOUND = {
    "a count": "{{ loop_index % 2 }}{% for m in messages %}{{ loop.index0 % 2 }}{{ (messages | length - 1) % 2 }}{% endfor %}",
    "formats": "{{ '%.2f' % 1.0 }}{{ '{}: {}'.format(a, b) }}{{ '%s' | format(a) }}",
    "indented": "{% macro f(x, depth=0) %}{{ '    ' * depth }}{% for y in x.items %}{{ f(y, depth + 1) }}{% endfor %}"
    "{% endmacro %}",
    "escaped": "{{ a | string | replace('&', '&amp;') | replace('<', '&lt;') | replace('\"', '&quot;') | trim }}",
    "gathered": "{% set ns = namespace(s='') %}{% if tools %}{% set ns.s = ns.s + ('\n' if ns.s else '') + 'Tools: [' %}"
    "{% for tool in tools %}{% set tool = tool | tojson %}{% set ns.s = ns.s + tool %}{% endfor %}{% endif %}{{ ns.s }}",
    "shadowed": "{% for m in messages %}{% set c = m.content %}{% set c = c | replace('\n', '\n\n') | trim %}{{ c }}{% endfor %}",
    "a schema": "{% macro f(s, indent='') %}{% for k, v in s.items() %}{% set t = f(v, indent + '  ') %}{{ t }}{% endfor %}"
    "{% set more = s.more %}{% set u = f(more, indent + '  ') if more else '' %}{{ u }}"
    "{% if s.items %}{{ f(s['items'], indent) }}{% endif %}{% endmacro %}",
    "a date": "{{ strftime_now('%d %b %Y') }}{{ 1700000000 }}{% if messages | length > 9999999 %}x{% endif %}",
    "arguments": "{% for k, v in (m.arguments | from_json).items() %}{{ k ~ '=' ~ v }}{% endfor %}",
}


def told(text: str) -> list[str]:
    return [each.rule for each in _template.judged(text, "t")]


def rendered(text: str, **given: Any) -> str:
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    return ImmutableSandboxedEnvironment().from_string(text).render(messages=[{"content": "x"}] * 14, **given)


@pytest.mark.parametrize("name", GROWS)
def test_what_grows_is_named_whatever_it_is_called(name: str) -> None:
    text = GROWS[name]
    assert len(rendered(text.replace("N", str(SMALL)))) >= SMALL  # it does grow
    assert told(text.replace("N", str(LARGE)))[0] == "template_loop"
    assert told(text.replace("N", "4")) == []


@pytest.mark.parametrize("name", ["multiplied", "doubled by each message", "by turns"])
def test_what_grows_with_every_message_does(name: str) -> None:
    text = REPEATED[name].replace("n=10", "n=2").replace("* 10", "* 2")
    assert len(rendered(text)) >= 2**13
    assert "template_loop" in told(REPEATED[name])


def test_macros_that_call_two_each_are_named() -> None:
    assert "template_loop" in told(REPEATED["macros of macros"])


@pytest.mark.parametrize("name", NOT_KNOWN)
def test_what_is_not_known_is_not_clean(name: str) -> None:
    with pytest.raises(Unscanned, match="no chat template has use for"):
        told(NOT_KNOWN[name])


@pytest.mark.parametrize("name", SOUND)
def test_what_chat_templates_do_is_clean(name: str) -> None:
    assert [each.what for each in _template.judged(SOUND[name], "t")] == []


def test_a_model_with_one_is_hostile_and_one_that_is_not_known_is_not_clean(tmp_path: Path) -> None:
    def verdict(text: str) -> str:
        model = made.sound_gguf(tmp_path, made.pair("tokenizer.chat_template", text))
        return scan_model(model, _here).verdict

    assert verdict(GROWS["slice"].replace("N", str(LARGE))) == "hostile"
    assert verdict(NOT_KNOWN["a filter"]) == "unscanned"
    assert verdict(SOUND["gathered"]) == "clean"


def _here(request: Look) -> Looked:
    return look(request.scan, request.place.seen())


def test_a_template_that_is_not_known_hides_no_other(tmp_path: Path) -> None:
    listed = [
        {"name": "a", "template": NOT_KNOWN["a filter"]},
        {"name": "b", "template": GROWS["center"].replace("N", str(LARGE))},
    ]
    folder = made.hugging(tmp_path, **{"tokenizer_config.json": {"chat_template": listed}})
    assert scan_model(folder, _here).verdict == "hostile"
    templates = (
        made.pair("tokenizer.chat_template", listed[0]["template"]),
        made.pair("tokenizer.chat_template.b", listed[1]["template"]),
    )
    assert scan_model(made.sound_gguf(tmp_path, *templates), _here).verdict == "hostile"
