"""What every reporter promises, whatever strings are in the report. Iterates the registry: a new format is tested too."""

from __future__ import annotations

import itertools
import json
import unicodedata
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from gatekeeper.errors import UsageError
from gatekeeper.records.base import Verdict
from gatekeeper.records.compliance import Compliance, OwnLicense, SetLicense
from gatekeeper.records.gates import GateResult
from gatekeeper.records.measured import Artifact, Conditions, Control, Energy, Environment, Performance, Quality, RoundData
from gatekeeper.records.report import (
    Agreement,
    LegReport,
    ModelInfo,
    Note,
    PipelineInfo,
    Report,
    StageReport,
    TargetReport,
    VariantReport,
)
from gatekeeper.reports._base import REGISTRY, reporter
from gatekeeper.reports._plain import plain
from gatekeeper.reports._read import read_report
from gatekeeper.reports._verdict import headline
from gatekeeper.reports._write import write_reports

FORMATS = REGISTRY.names
BIDI = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
HOSTILE = {
    "pipe": "a | b || c",
    "escaped pipe": "a \\| b \\\\| c \\",
    "backticks": "`a` ``b`` ```c",
    "fence": "\n```\n# out\n```\n",
    "script": "<script>alert(1)</script>",
    "unclosed": "<img src=x onerror=alert(1)",
    "closing": "</details></summary></td><a href='http://e'>x</a>",
    "comment": "<!-- x ]]> &lt; &amp; & -->",
    "mention": "@team @org/team a@b.example",
    "issue": "#1 org/repo#2 GH-3",
    "image": "![x](http://e)",
    "link": "[a](javascript:1)",
    "reference": "[a]: http://e 'x'\n\n[a]",
    "autolink": "<http://e> https://e.example www.e.example http://e mailto:a@b.example",
    "autolink after a mark": "_https://e.example_ *http://e.example* ~www.e.example~ (http://e.example",
    "ansi": "\x1b[31mred\x1b[0m \x1b]8;;http://e\x1b\\x\x1b]8;;\x1b\\ \x9b31m",
    "markup": "[red]x[/red] [/] [/nothing] [link=http://e]x[/link] \\[",
    "nul": "a\0b",
    "not xml": "a\ufffeb\uffffc\x01\x0b\x0c\x7f",
    "surrogate": "a\ud800b\udfff",
    "direction": f"a{BIDI}b",
    "newlines": "a\nb\r\nc\rd\u2028e\u2029f\x85g\x1eh",
    "command": "::set-output name=x::y",
    "command on a line of its own": "a\n::error file=x::y\n::stop-commands::z",
    "legacy command": "##[error]x",
    "long": "x" * 10_000,
    "long words": "word " * 2_000,
    "emoji": "🚀 👩‍👩‍👧 é 日本語",
    "heading": "# a\n## b\n- c\n1. d\n> e\n    f",
    "rule": "---",
    "blank": " \t ",
    "empty": "",
    "format": "%s {0} {x} $(id) ${HOME}",
}
TEXTS = st.one_of(
    st.sampled_from(sorted(HOSTILE.values())),
    st.text(st.characters(codec=None)),
    st.text(st.one_of(st.sampled_from("|`<>&@#[]()!\\:/_*~\n\r\0\x1b\ufffe\u202e"), st.characters(categories=["Cs", "Cc"]))),
)


def performance() -> Performance:
    row = RoundData(
        round=0, count=20, p10_ns=1e6, median_ns=1e6, mean_ns=1e6, p95_ns=2e6, p99_ns=3e6, load_ns=10**6, cpu_utilisation=0.5
    )
    return Performance(
        p50_ns=1e6, p95_ns=2e6, p99_ns=3e6, mean_ns=1e6, throughput_per_s=1000.0, load_ns=1e6, cpu_utilisation=0.5, variation=0.1,
        peak_bytes=None, high_water_bytes=12.0, memory_metric="pss", rounds=[row],
    )  # fmt: skip


def gate(text: str, name: str, verdict: Verdict, blocking: bool = True) -> GateResult:
    measured = verdict in (Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE)
    return GateResult(
        gate=name + text, verdict=verdict, observed=2.5 if measured else None, lower=2.1 if measured else None,
        upper=2.9 if measured else None, limit=2.0, unit=text, reason=text, where=text, blocking=blocking, details={text: text},
    )  # fmt: skip


def variant(text: str, leg: str, technique: str, verdict: Verdict, gates: list[GateResult]) -> VariantReport:
    made = verdict not in (Verdict.SKIP, Verdict.ERROR)
    return VariantReport(
        id=f"{leg}/{technique}{text}", framework=text, technique=technique + text, verdict=verdict, reason=text, gates=gates,
        artifact=Artifact(path=text, sha256=text, bytes=1234) if made else None, performance=performance() if made else None,
        quality=Quality(metric=text, value=0.97, examples=500) if made else None, pareto=technique == "pass" if made else None,
    )  # fmt: skip


def agreement(text: str, models: int = 4, **changes: Any) -> Agreement:
    """Models of which the last is pointed at."""
    values = {
        "kind": "same class", "names": [f"x86{text}/{i}/baseline" for i in range(models)], "matrix": [[0.9] * models] * models,
        "examples": 500, "alone": [0.01] * models, "findings": [f"finding {text}"], "notes": [text],
    }  # fmt: skip
    return Agreement(**(values | changes))


def declared(text: str) -> Compliance:
    sets = {text: SetLicense(license=text, source=text)}
    own = [OwnLicense(model=text, says={text: text})]
    fields = dict.fromkeys(("intended_purpose", "limitations", "risks"), text)
    return Compliance(license=text, allowed=[text], datasets=sets, models=own, card=text, card_sha256=text, fields=fields)


def report_of(text: str) -> Report:
    """A report with every verdict in every place, and this text wherever a text can be."""
    environment = Environment(cpu=text, isa=[text, "avx2"], threads=2, packages={text: text}, os=text, python=text, machine=text)
    environment = msgspec.structs.replace(environment, governor=text, accelerators=[text])
    conditions = Conditions(other_cpu=0.4, steal=0.01, throttle_events=3, frequency_mhz=(1200.0, 2400.0))
    control = Control(observed=1.0, lower=0.9, upper=1.1)
    leg = f"x86{text}/onnx"
    measured = LegReport(
        id=leg, framework=text, environment=environment, baseline=performance(), control=control, rounds=8, max_rounds=24,
        quality=Quality(metric=text, value=0.98, examples=500), notes=[text], measuring_s=12.0, total_s=20.0, seed=7,
        budget_s=600.0, stopped="rounds", conditions=conditions, energy=Energy(method=text, kind="estimate", note=text),
    )  # fmt: skip
    broken = LegReport(id=f"x86{text}/broken", framework=text, error=f"no result {text}")
    variants = [
        variant(text, leg, "pass", Verdict.PASS, [gate(text, "speedup", Verdict.PASS), gate(text, "memory", Verdict.SKIP)]),
        variant(
            text, leg, "fail", Verdict.FAIL, [gate(text, "speedup", Verdict.FAIL), gate(text, "memory", Verdict.FAIL, False)]
        ),
        variant(
            text, leg, "open", Verdict.INCONCLUSIVE,
            [gate(text, "speedup", Verdict.INCONCLUSIVE), gate(text, "memory", Verdict.ERROR, False)],
        ),
        variant(text, leg, "error", Verdict.ERROR, [gate(text, "speedup", Verdict.ERROR)]),
        variant(text, leg, "skip", Verdict.SKIP, []),
    ]  # fmt: skip
    target = TargetReport(
        name=f"x86{text}", verdict=Verdict.ERROR, selected=variants[0].id, environment=environment, variants=variants,
        hardware=text, reason=f"leg missing {text}", legs=[measured, broken], notes=[text], agreement=agreement(text),
    )  # fmt: skip
    return Report(
        schema="gatekeeper/report/v1",
        verdict=Verdict.ERROR,
        model=ModelInfo(path=text, sha256=text, bytes=5678, format=text, architecture=text, parameters=9),
        pipeline=PipelineInfo(path=text, sha256=text, legs=[measured.id, broken.id]),
        targets=[target],
        stages=[
            StageReport(stage=f"stage{i}{text}", verdict=v, reason=text, where=text, deferred=[text])
            for i, v in enumerate(Verdict)
        ]
        + [StageReport(stage="compliance", verdict=Verdict.FAIL, reason=text, where=text, compliance=declared(text))],
        notes=[text],
        remarks=[Note(kind="waiver", text=text)],
        reproduce=text,
        created="2026-01-01T00:00:00Z",
        version=text,
    )


def headline_report(text: str) -> Report:
    """A report that passes, whose first sentence is made of strangers' words."""
    found = report_of(text)
    best = found.targets[0].variants[0]
    target = msgspec.structs.replace(found.targets[0], name=text, verdict=Verdict.PASS, variants=[best], legs=[], reason="")
    return msgspec.structs.replace(found, verdict=Verdict.PASS, targets=[target], stages=[])


def failing_headline_report(text: str) -> Report:
    """A report that fails, whose first words are a stranger's."""
    found = report_of(text)
    return msgspec.structs.replace(found, targets=[msgspec.structs.replace(found.targets[0], name=text)])


hostile = pytest.mark.parametrize("text", list(HOSTILE.values()), ids=list(HOSTILE))
any_format = pytest.mark.parametrize("name", FORMATS)
quick = settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])


def check_commands(rendered: str) -> None:
    """No line is a command to a GitHub runner; it reads what a step prints, whatever it is indented by."""
    for line in rendered.splitlines():
        assert not line.lstrip().startswith("::"), line[:200]


def check_characters(rendered: str) -> None:
    """Nothing that moves the cursor, turns the text around or cannot be written."""
    rendered.encode("utf-8")
    bad = {c for c in rendered if (unicodedata.category(c) == "Cc" and c != "\n") or c in BIDI}
    assert not bad, sorted(map(hex, map(ord, bad)))


def test_there_are_reporters() -> None:
    assert {"json", "junit", "markdown", "sarif", "terminal"} <= set(FORMATS)


@any_format
def test_every_reporter_has_the_shape(name: str) -> None:
    module = reporter(name)
    assert module.FILE_NAME is None or Path(module.FILE_NAME).name == module.FILE_NAME
    assert isinstance(module.render(report_of("x")), str)


@any_format
@pytest.mark.parametrize("make", [report_of, headline_report, failing_headline_report])
def test_hostile_text_is_rendered(name: str, make: Any) -> None:
    for text in HOSTILE.values():
        reporter(name).render(make(text)).encode("utf-8")


@pytest.mark.parametrize("name", [n for n in FORMATS if n not in ("json", "junit")])
def test_no_text_leaves_the_line_it_is_on(name: str) -> None:
    for text, make in itertools.product(HOSTILE.values(), (report_of, headline_report, failing_headline_report)):
        rendered = reporter(name).render(make(text))
        check_characters(rendered)
        check_commands(rendered)


@any_format
@quick
@given(text=TEXTS)
def test_no_text_breaks_a_reporter(name: str, text: str) -> None:
    for report in (report_of(text), headline_report(text)):
        rendered = reporter(name).render(report)
        rendered.encode("utf-8")
        if name == "junit":
            etree.fromstring(rendered.encode())
        if name == "json":
            msgspec.json.decode(rendered, type=Report)
        if name in ("markdown", "terminal"):
            check_characters(rendered)
            check_commands(rendered)


@any_format
def test_rendering_is_pure(name: str) -> None:
    report = report_of("x")
    before = msgspec.json.encode(report)
    assert reporter(name).render(report) == reporter(name).render(report)
    assert msgspec.json.encode(report) == before


@any_format
def test_an_empty_report_is_rendered(name: str) -> None:
    assert reporter(name).render(empty())


def empty() -> Report:
    return msgspec.structs.replace(report_of(""), targets=[], stages=[])


def test_every_file_is_written(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    written = write_reports(report_of("x"), folder)
    assert written[0].name == "report.json"
    assert (
        {p.name for p in written}
        == {p.name for p in folder.iterdir()} - {".lock"}
        >= {"report.json", "junit.xml", "report.md", "report.sarif"}
    )


@hostile
def test_every_file_is_written_whatever_the_text(tmp_path: Path, text: str) -> None:
    for path in write_reports(report_of(text), tmp_path):
        path.read_text("utf-8")


def test_a_folder_that_is_a_file_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("kept")
    with pytest.raises(UsageError, match="cannot be written"):
        write_reports(report_of("x"), tmp_path / "file")
    assert (tmp_path / "file").read_text() == "kept"


@hostile
def test_plain_is_one_line_of_visible_characters(text: str) -> None:
    shown = plain(text)
    assert len(shown) <= 600
    assert len(plain(text, 20)) <= 20
    assert len(shown.splitlines()) <= 1
    check_characters(shown)


def test_plain_keeps_what_can_be_read() -> None:
    assert plain("  déjà\n vu 🚀 \x1b[1;31m日本\x1b[0m ") == "déjà vu 🚀 日本"


def test_the_headline_of_nothing_says_so() -> None:
    assert headline(empty()) == "nothing was measured"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "not a gatekeeper report"),
        (b"{}", "not a gatekeeper report"),
        (b"null", "not a gatekeeper report"),
        (b"\xff\xfe", "not a gatekeeper report"),
        (b'{"schema":"gatekeeper/report/v2"}', "not a gatekeeper report"),
        (b'{"schema":"gatekeeper/report/v1","verdict":"\xff"}', "not a gatekeeper report"),
        (b'{"x":' + b"[" * 200_000 + b"]" * 200_000 + b"}", "not a gatekeeper report"),
    ],
    ids=lambda value: repr(value[:30]),
)
def test_what_is_no_report_is_refused(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "report.json"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=says):
        read_report(path)


def test_a_missing_report_and_a_folder_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "none.json", tmp_path):
        with pytest.raises(UsageError, match="cannot be read"):
            read_report(path)


@pytest.mark.parametrize("text", ["util::SequenceMark", "std::vector<std::string>", "foo:", "at 12:30", "a::b::c"])
def test_a_name_with_colons_is_left_as_it_is(text: str) -> None:
    assert plain(text) == text


@pytest.mark.parametrize(
    "text", ["::error::x", "said ::set-output", f"{'x' * 60}::error", "##[error]", ":", "::", "(::warning", "x:::y"]
)
def test_what_may_start_a_line_as_a_command_is_none(text: str) -> None:
    shown = plain(text)
    starts = [0, *(i for i in range(len(shown)) if shown[i - 1 : i] in " ("), *range(60, len(shown))]
    assert not any(shown[i:].startswith("::") for i in starts) and "##[" not in shown and not shown.endswith("::")
    assert shown.replace("\u2060", "") == text


@pytest.mark.parametrize("name", ["markdown", "sarif", "terminal"])
def test_what_keeps_a_whole_leg_from_it_is_said_once(name: str) -> None:
    """Not again of each of its variants, nor of the stage."""
    found = report_of("x")
    leg, said = "x86x/broken", "its baseline is another model"
    lost = [msgspec.structs.replace(variant("x", leg, way, Verdict.ERROR, []), reason=said) for way in ("a", "b")]
    other = msgspec.structs.replace(lost[0], id=f"{leg}/c", reason="the quantizer failed")
    legs = [msgspec.structs.replace(found.targets[0].legs[1], error=said)]
    target = msgspec.structs.replace(
        found.targets[0], variants=[*lost, other], legs=legs, reason="no variant passes", agreement=None
    )
    stages = [StageReport(stage="optimization", verdict=Verdict.ERROR, reason=said, where="")]
    shown = reporter(name).render(msgspec.structs.replace(found, targets=[target], stages=stages))
    if name == "sarif":
        results = json.loads(shown)["runs"][0]["results"]
        assert sum(said in json.dumps(result) for result in results) == 1
    else:
        assert shown.count(said) == {"terminal": 2, "markdown": 3}[name], "of the leg, in the headline, and folded of the stage"
    assert "the quantizer failed" in shown
