"""Text to data: what a YAML scalar means, where it stands, and what is refused with its place."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gatekeeper.config.source import MAX_BYTES, parse_source, read_source
from gatekeeper.errors import ConfigError, ExitCode, UsageError

LAUGHS = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{','.join([f'*{before}'] * 9)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


def problems(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse_source(text, "f.yaml")
    assert caught.value.exit_code == ExitCode.USAGE
    return str(caught.value).splitlines()


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1:30", "1:30"),
        ("off", "off"),
        ("no", "no"),
        ("YES", "YES"),
        ("010", 10),
        ("0x10", "0x10"),
        ("0o17", "0o17"),
        ("1_000", "1_000"),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("-2.", -2.0),
        ("+7", 7),
        ("true", True),
        ("FALSE", False),
        ("~", None),
        ("null", None),
        ("", None),
        ("'1'", "1"),
        ('"true"', "true"),
        ("2024-01-01", "2024-01-01"),
        ("=", "="),
        ("<50MB", "<50MB"),
        ("!!str 5", "5"),
        ("!!int 5", 5),
        ("!!float 5", 5.0),
    ],
)
def test_scalars_mean_what_yaml_1_2_says(text: str, value: object) -> None:
    found = parse_source(f"a: {text}\n", "f").data["a"]
    assert found == value
    assert type(found) is type(value)


def test_keys_are_text_whatever_they_look_like() -> None:
    assert parse_source("1: a\ntrue: b\n~: c\n", "f").data == {"1": "a", "true": "b", "~": "c"}


def test_every_value_and_key_keeps_its_place() -> None:
    source = parse_source("a:\n  b: [x, {c: 2}]\n  d:\n    - 3\n", "f.yaml")
    assert source.data == {"a": {"b": ["x", {"c": 2}], "d": [3]}}
    assert source.keys[("a", "b")] == (2, 3)
    assert source.values[("a", "b", 1, "c")] == (2, 14)
    assert source.values[("a", "d", 0)] == (4, 7)


@pytest.mark.parametrize(
    ("path", "line"),
    [(("a", "b"), 2), (("a", "b", "not there", 3), 2), (("a", "zz"), 1), (("zz",), 1), ((), 1), (("a", "d", 0), 4)],
)
def test_where_is_the_nearest_thing_in_the_file(path: tuple[str | int, ...], line: int) -> None:
    assert parse_source("a:\n  b: 1\n  d:\n    - 3\n", "f.yaml").where(path) == f"f.yaml:{line}"


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("a: 1\na: 2\n", "2:1", "already given on line 1"),
        ("x:\n  a: {b: 1, c: 2, b: 3}\n", "2:19", "the key 'b' is already given on line 2"),
        ("a: .inf\n", "1:4", "finite"),
        ("a: -.INF\n", "1:4", "finite"),
        ("a: [1, .nan]\n", "1:8", "finite"),
        ("a: 1e999\n", "1:4", "too large"),
        ("a: -1e999\n", "1:4", "too large"),
        (f"a: {'9' * 400}\n", "1:4", "too large"),
        ("a: !!float nan\n", "1:4", "nan"),
        ("a: !!int abc\n", "1:4", "'abc'"),
        ("a: !!float 1.2.3\n", "1:4", "'1.2.3'"),
        ("a: !!python/object:os.system x\n", "1:4", "tag"),
        ("a: !!python/object/apply:os.system [ls]\n", "1:4", "tag"),
        ("a: !!python/object:os.system {b: 1}\n", "1:4", "tag"),
        ("a: !!python/tuple [1]\n", "1:4", "tag"),
        ("a: !local {b: 1}\n", "1:4", "tag"),
        ("a: !!set {b}\n", "1:4", "tag"),
        ("a: !!binary aGk=\n", "1:4", "tag"),
        ("a: !!timestamp 2024-01-01\n", "1:4", "tag"),
        ("!!python/name:os.system a: 1\n", "1:1", "tag"),
        ("a: !!bool yes\n", "1:4", "yes"),
        ("a: !!null abc\n", "1:4", "abc"),
        ("a:\n\tb: 1\n", "2:1", "tab"),
        ("a:\n  b: 1\n \tc: 1\n", "3:", "tab"),
        ("? [a]\n: b\n", "1:3", "a key must be a plain word"),
        ("{a: 1}: b\n", "1:1", "a key must be a plain word"),
        ("a: *b\n", "1:4", "undefined alias"),
        ("a: 1\n---\nb: 2\n", "2:1", "another document"),
        ("a: [1\n", "2:1", "expected"),
        ("a: b: c\n", "1:5", "not allowed here"),
        ("a: 'x\n", "2:1", "end of stream"),
        ("a: 1\nb: \x07\n", "2:", "U+0007"),
        ("a: \x00\n", "1:", "U+0000"),
        ("%YAML 3.0\n---\na: 1\n", "1:1", "version"),
        ("", "1:1", "empty"),
        ("# nothing\n", "1:1", "empty"),
        (LAUGHS, "", "anchors expand"),
        ("a: &a [*a]\n", "", "anchors expand"),
        ("a: &a {b: *a}\n", "", "anchors expand"),
        ("&a {b: &b {c: *a, d: *b}}\n", "", "anchors expand"),
        ("[" * 200 + "]" * 200, "1:", "50 levels"),
        ("[" * 5_000, "1:1", "nested more than 50 deep"),
        ("{a: " * 5_000, "1:1", "nested more than 50 deep"),
        ("- " * 60 + "x", "1:", "50 levels"),
        (f"a: [{'x,' * 20_001}]\n", "1:", "20000 values"),
        ('a: "\\UFFFFFFFF"\n', "1:", ""),
        ('a: "\\U00110000"\n', "1:", ""),
        (f"%YAML 1.{'1' * 5000}\n---\na: 1\n", "1:", ""),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_bad_text_is_an_error_with_its_place(text: str, place: str, words: str) -> None:
    found = problems(text)
    assert len(found) == 1
    assert found[0].startswith(f"f.yaml:{place}")
    assert words in found[0]


def test_every_problem_is_listed_in_the_order_of_the_file() -> None:
    found = problems("a: .nan\nb: 1e999\nb: 2\nc: !!int x\nd: !x y\n")
    assert [line.split(": ")[0] for line in found] == ["f.yaml:1:4", "f.yaml:2:4", "f.yaml:3:1", "f.yaml:4:4", "f.yaml:5:4"]


def test_a_merge_key_is_no_merge() -> None:
    assert parse_source("a: &a {x: 1}\nb: {<<: *a}\n", "f").data["b"] == {"<<": {"x": 1}}


def test_a_modest_anchor_is_written_out() -> None:
    source = parse_source("a: &a {x: [1, 2]}\nb: *a\n", "f")
    assert source.data["b"] == source.data["a"] == {"x": [1, 2]}
    assert source.data["b"] is not source.data["a"]


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_windows_files_read_the_same(tmp_path: Path, line_end: str, mark: bytes) -> None:
    file = tmp_path / "f.yaml"
    file.write_bytes(mark + line_end.join(["a:", "  b: é", "c: 1"]).encode())
    source = read_source(file)
    assert source.data == {"a": {"b": "é"}, "c": 1}
    assert source.where(("c",)) == f"{file}:3"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"a: \xff\xfe\n", "not UTF-8 text (byte 3)"),
        ("a: é\n".encode("latin-1"), "not UTF-8"),
        ("a: 1\n".encode("utf-16"), "not UTF-8"),
        (bytes(range(256)), "not UTF-8"),
        (b"\x7fELF\x01\x01\x00\x00", "U+007F"),
        (b"a: 1\n" * (MAX_BYTES // 4), "larger than"),
    ],
    ids=["ff", "latin-1", "utf-16", "bytes", "elf", "large"],
)
def test_a_file_that_is_not_text_is_refused(tmp_path: Path, content: bytes, words: str) -> None:
    file = tmp_path / "f.yaml"
    file.write_bytes(content)
    with pytest.raises(UsageError) as caught:
        read_source(file)
    assert str(caught.value).startswith(f"{file}:")
    assert words in str(caught.value)


def test_a_file_that_is_not_there_names_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no such file.*gatekeeper init"):
        read_source(tmp_path / "none.yaml")


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is a folder"):
        read_source(tmp_path)


@pytest.mark.parametrize("name", ["x" * 300, "file.yaml/below"])
def test_an_impossible_name_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "file.yaml").write_text("a: 1\n")
    with pytest.raises(UsageError, match="cannot be read"):
        read_source(tmp_path / name)


def only_config_errors(text: str) -> None:
    try:
        source = parse_source(text, "f.yaml")
    except ConfigError as error:
        assert error.problems
        assert all(p.line >= 1 and p.column >= 1 and p.message for p in error.problems)
    else:
        assert set(source.keys) <= set(source.values)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.text(max_size=200))
@example("\ud800")
@example("\ufeff\ufeff")
def test_arbitrary_text_raises_only_config_errors(text: str) -> None:
    only_config_errors(text)


PIECES = st.sampled_from([
    "a", "b", ": ", ":", "- ", "\n", "\n  ", "\n    ", "[", "]", "{", "}", ",", "&x ", "*x", "!!int ", "!!map ", "!<", ">",
    "|", "? ", "'", "\"", "\\U", "\\u", "\\x", "FFFF", "D800", "#", "%YAML ", "%TAG ", "---\n", "...\n", "1", "1e9", ".inf",
    "~", "\t", "<<",
])  # fmt: skip


@settings(max_examples=400, deadline=None, derandomize=True)
@given(st.lists(PIECES, max_size=25).map("".join))
def test_arbitrary_yaml_raises_only_config_errors(text: str) -> None:
    only_config_errors(text)
