"""A report out of another run's artifact: the right run, and an archive that may be anything."""

from __future__ import annotations

import io
import random
import struct
import tracemalloc
import warnings
import zipfile
from typing import Any

import pytest
from kit.github_api import FORK_ID, TOKEN, StandIn

from gatekeeper.errors import NotMeasured, UsageError
from gatekeeper.github.artifact import Fetched, fetch_report, read_member
from gatekeeper.github.context import Event

NAME = "gatekeeper-report"
REPORT = b'{"schema": "gatekeeper/report/v1"}'


def archive(*members: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # zipfile warns of two members of one name
        with zipfile.ZipFile(file, "w", method) as packed:
            for name, content in members:
                packed.writestr(name, content)
    return file.getvalue()


GOOD = archive(("report.json", REPORT), ("report.md", b"# hello"))


def fetch(api: StandIn, **how: Any) -> Fetched:
    event = Event(name="workflow_run", repository="octo/models", api_url=how.pop("api_url", api.url))
    return fetch_report(event, how.pop("token", TOKEN), how.pop("name", NAME), **how)


def test_the_report_of_a_run(api: StandIn) -> None:
    run, other = api.run(sha="d" * 40), api.run()
    api.artifact(run, GOOD)
    api.artifact(other, archive(("report.json", b"another run's")))
    assert fetch(api, run_id=run) == Fetched(
        data=REPORT, run_id=run, commit="d" * 40, event="push", conclusion="success", own=True
    )


def test_the_storage_never_sees_the_token(api: StandIn) -> None:
    api.artifact(run := api.run(), GOOD)
    assert fetch(api, run_id=run).data == REPORT
    assert [request.path.endswith(".zip") for request in api.stored] == [True]
    assert TOKEN not in str(api.stored[0])
    assert "authorization" not in api.stored[0].headers


def test_the_storage_never_sees_a_password_of_the_machine(
    api: StandIn, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    netrc = tmp_path_factory.mktemp("home") / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password secret\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    api.artifact(run := api.run(), GOOD)
    assert fetch(api, run_id=run).data == REPORT
    assert "authorization" not in api.stored[0].headers


def test_of_several_attempts_the_newest(api: StandIn) -> None:
    run = api.run()
    api.artifact(run, archive(("report.json", b"first")))
    api.artifact(run, archive(("report.json", b"second")))
    api.artifact(run, archive(("report.json", b"other")), "another-name")
    assert fetch(api, run_id=run).data == b"second"


def test_an_artifact_behind_hundreds_of_others(api: StandIn) -> None:
    run = api.run()
    api.artifact(run, GOOD)
    for number in range(250):
        api.artifact(run, b"", f"leg-{number}")
    assert fetch(api, run_id=run).data == REPORT


def test_the_report_of_a_branch_is_of_its_newest_run_that_succeeded(api: StandIn) -> None:
    for body, conclusion, branch in (
        (b"older", "success", "main"),
        (b"newest good", "success", "main"),
        (b"failed", "failure", "main"),
        (b"cancelled", "cancelled", "main"),
        (b"other branch", "success", "release"),
    ):
        api.artifact(api.run(conclusion=conclusion, branch=branch), archive(("report.json", body)))
    assert fetch(api, branch="main").data == b"newest good"
    assert fetch(api, branch="release").data == b"other branch"


@pytest.mark.parametrize(
    "poison",
    [
        {"repository_id": FORK_ID, "event": "pull_request"},
        {"repository_id": None, "event": "pull_request"},
        {"repository_id": FORK_ID, "event": "push"},
        {"event": "workflow_run"},
        {"event": "pull_request_target"},
        {"event": "issue_comment"},
        {"event": "pull_request"},
    ],
    ids=lambda poison: " ".join(map(str, poison.values())),
)
def test_nobody_else_can_leave_a_report_for_a_branch(api: StandIn, poison: dict[str, Any]) -> None:
    """A fork may call its branch `main`, and runs that handle a fork's results carry the name of the default branch."""
    for _ in range(3):
        api.artifact(api.run(**poison), archive(("report.json", b"poison")))
    assert fetch(api, branch="main").data is None
    api.artifact(api.run(sha="e" * 40), GOOD)
    for _ in range(3):
        api.artifact(api.run(**poison), archive(("report.json", b"poison")))
    assert fetch(api, branch="main").data == REPORT
    assert fetch(api, branch="main").commit == "e" * 40


def test_many_pull_requests_of_forks_do_not_hide_the_branch(api: StandIn) -> None:
    api.artifact(api.run(), GOOD)
    for _ in range(220):
        api.artifact(api.run(repository_id=FORK_ID, event="pull_request"), b"")
    assert fetch(api, branch="main").data == REPORT


def test_where_there_is_none_the_reason_is_said(api: StandIn) -> None:
    run = api.run()
    assert fetch(api, run_id=run) == Fetched(reason=f"run {run} has no artifact '{NAME}'")
    assert fetch(api, branch="main").reason == f"there is no artifact '{NAME}' of the branch 'main' yet"
    api.artifact(run, GOOD, expired=True)
    assert "has expired" in fetch(api, run_id=run).reason
    assert "has expired" in fetch(api, branch="main").reason
    api.artifact(api.run(conclusion="failure"), GOOD)
    assert "succeeded" in fetch(api, branch="main").reason


def test_a_name_is_only_a_name(api: StandIn) -> None:
    run = api.run()
    name = "../x?y=1&z#\n::error::"
    api.artifact(run, GOOD, name)
    assert fetch(api, run_id=run, name=name).data == REPORT
    assert fetch(api, branch="main", name=name).data == REPORT
    assert "::error" not in fetch(api, run_id=run, name=name + "2").reason


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ({"status": 401, "body": '{"message": "Bad credentials"}'}, "does not accept the token"),
        ({"status": 403, "body": '{"message": "Resource not accessible by integration"}'}, "actions: read"),
        ({"status": 404, "body": '{"message": "Not Found"}'}, "actions: read"),
        ({"status": 429, "headers": {"Retry-After": "60"}}, "in 60 s"),
        ({"status": 200, "body": "<html>"}, "not one of GitHub's API"),
    ],
    ids=["401", "403", "404", "429", "garbage"],
)
@pytest.mark.parametrize("path", ["/artifacts$", "/zip$"])
def test_a_refusal_is_said(api: StandIn, fault: dict[str, Any], words: str, path: str) -> None:
    api.artifact(run := api.run(), GOOD)
    api.fail("GET", path, **fault)
    with pytest.raises(NotMeasured) as raised:
        fetch(api, run_id=run)
    assert str(raised.value).startswith(f"the artifact '{NAME}' was not fetched: ")
    assert words in str(raised.value)


def test_a_run_that_is_not_there(api: StandIn) -> None:
    with pytest.raises(NotMeasured, match="does not show octo/models"):
        fetch(api, run_id=1)


def test_a_failure_that_passes(api: StandIn) -> None:
    api.artifact(run := api.run(), GOOD)
    api.fail("GET", "/runs/", status=502, times=1)
    api.fail("STORAGE", "", status=503, times=1)
    assert fetch(api, run_id=run).data == REPORT


def test_an_artifact_that_expires_meanwhile(api: StandIn) -> None:
    api.artifact(run := api.run(), GOOD)
    api.fail("GET", "/zip$", status=410, body='{"message": "Artifact has expired"}')
    with pytest.raises(NotMeasured, match="has expired"):
        fetch(api, run_id=run)


@pytest.mark.parametrize("slow", [{"delay_s": 30.0}, {"trickle_s": 0.2}], ids=["silent", "byte by byte"])
def test_a_slow_storage_is_not_waited_for(api: StandIn, slow: dict[str, Any]) -> None:
    api.artifact(run := api.run(), GOOD)
    api.fail("STORAGE", "", status=200, body="x" * 200, **slow)
    with pytest.raises(NotMeasured, match="did not answer"):
        fetch(api, run_id=run, seconds=1.0)


def test_a_storage_that_sends_elsewhere_is_not_followed(api: StandIn) -> None:
    api.artifact(run := api.run(), GOOD)
    api.fail("STORAGE", "", status=302, headers={"Location": f"{api.url}/user"})
    with pytest.raises(NotMeasured, match="302"):
        fetch(api, run_id=run)
    assert [r.path for r in api.requests if r.path == "/user"] == []


def test_what_says_that_it_is_large_is_not_downloaded(api: StandIn) -> None:
    api.artifact(run := api.run(), GOOD, size=10 << 30)
    with pytest.raises(UsageError, match="10737418240 bytes"):
        fetch(api, run_id=run)
    assert api.stored == []


def test_what_is_larger_than_it_says_is_not_downloaded_whole(api: StandIn) -> None:
    noise = random.Random(0).randbytes(3 << 20)
    api.artifact(run := api.run(), archive(("report.json", REPORT), ("model.onnx", noise)), size=10)
    with pytest.raises(UsageError, match="without models"):
        fetch(api, run_id=run, max_bytes=1000)


def test_without_a_token_the_remedy_is_named(api: StandIn) -> None:
    with pytest.raises(UsageError, match="there is no token"):
        fetch(api, branch="main", token="")
    with pytest.raises(UsageError, match="GITHUB_API_URL is not set"):
        fetch(api, branch="main", api_url="")


def flagged(data: bytes, offset_local: int, offset_central: int, value: int) -> bytes:
    """A field of two bytes changed in the local header and in the table of contents."""
    changed = bytearray(data)
    struct.pack_into("<H", changed, data.index(b"PK\x03\x04") + offset_local, value)
    struct.pack_into("<H", changed, data.index(b"PK\x01\x02") + offset_central, value)
    return bytes(changed)


HUGE = archive(("report.json", b"0" * (4 << 20)))
LYING = bytearray(HUGE)  # says that it unpacks to ten bytes
struct.pack_into("<I", LYING, HUGE.index(b"PK\x01\x02") + 24, 10)
struct.pack_into("<I", LYING, HUGE.index(b"PK\x03\x04") + 22, 10)

HOSTILE = {
    "empty": (b"", "damaged"),
    "not a zip": (b"hello", "damaged"),
    "no members": (archive(), "nowhere"),
    "other files": (archive(("a.txt", b"x"), ("myreport.json", b"x")), "nowhere"),
    "two of one name": (archive(("report.json", b"a"), ("report.json", b"b")), "2 times"),
    "root and folder": (archive(("report.json", b"a"), ("x/report.json", b"b")), "2 times"),
    "too deep": (archive(("a/b/report.json", b"a")), "nowhere"),
    "climbing deep": (archive(("../../report.json", b"a")), "nowhere"),
    "backslashes": (archive(("..\\report.json", b"a")), "nowhere"),
    "folder of the name": (archive(("report.json/", b"")), "nowhere"),
    "encrypted": (flagged(GOOD, 6, 8, 1), "encrypted"),
    "bzip2": (archive(("report.json", b"a"), method=zipfile.ZIP_BZIP2), "packed in a way"),
    "lzma": (archive(("report.json", b"a"), method=zipfile.ZIP_LZMA), "packed in a way"),
    "unknown method": (flagged(GOOD, 8, 10, 99), "packed in a way"),
    "bomb": (HUGE, "4194304 bytes"),
    "bomb that lies": (bytes(LYING), "damaged"),
    "truncated": (GOOD[: len(GOOD) // 2], "damaged"),
    "wrong checksum": (archive(("report.json", REPORT), method=zipfile.ZIP_STORED).replace(b"/v1", b"/v2", 1), "damaged"),
    "too many": (archive(*((f"{n}", b"") for n in range(10_001)), ("report.json", REPORT)), "more than 10000 files"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_archive_is_named_and_not_read(api: StandIn, name: str) -> None:
    data, words = HOSTILE[name]
    api.artifact(run := api.run(), data)
    with pytest.raises(UsageError) as raised:
        fetch(api, run_id=run, max_bytes=1 << 20)
    assert words in str(raised.value)
    assert str(raised.value).startswith(f"the artifact '{NAME}' ")


def test_a_report_in_a_folder(api: StandIn) -> None:
    assert read_member(archive(("gatekeeper-report/report.json", REPORT), ("gatekeeper-report/a.md", b"")), NAME) == REPORT


def test_a_path_in_an_archive_names_nothing_here(tmp_path_factory: pytest.TempPathFactory, monkeypatch: Any) -> None:
    folder = tmp_path_factory.mktemp("outer") / "inner"
    folder.mkdir()
    monkeypatch.chdir(folder)
    assert read_member(archive(("../report.json", REPORT), ("/etc/x", b"")), NAME) == REPORT
    assert list(folder.parent.rglob("*")) == [folder]


def test_a_bomb_takes_no_memory() -> None:
    bomb = archive(("report.json", b"0" * (64 << 20)))
    lying = bytearray(bomb)
    struct.pack_into("<I", lying, bomb.index(b"PK\x01\x02") + 24, 10)
    tracemalloc.start()
    for data in (bomb, bytes(lying)):
        with pytest.raises(UsageError):
            read_member(data, NAME, 1 << 20)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 << 20


def test_damaged_archives_are_an_archive_or_an_error() -> None:
    source = random.Random(5)
    for _ in range(1500):
        data = bytearray(GOOD)
        for _ in range(source.randint(1, 4)):
            data[source.randrange(len(data))] = source.randrange(256)
        try:
            assert isinstance(read_member(bytes(data[: source.choice([len(data), source.randrange(len(data))])]), NAME), bytes)
        except UsageError as error:
            assert NAME in str(error)
