"""The rules before the real Prometheus and Alertmanager: each fault arrives, and whoever must be told is told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from kit.command import Command
from kit.prometheus import program

from gatekeeper.monitor.alerts import restarts
from gatekeeper.monitor.alerts._base import Rule, Trial
from gatekeeper.monitor.rehearsal import value_at
from gatekeeper.monitor.site import Site


@pytest.mark.parametrize(
    ("values", "at"),
    [
        ("0+5x3", [0, 5, 10, 15, 20, 25]),
        ("7x2", [7, 7, 7, 7]),
        ("0x1 _x2", [0, 0, None, None, None]),
        ("0+4x2 8x2", [0, 4, 8, 8, 8, 8, 8]),
        ("1 2", [1, 2, 2]),
    ],
)
def test_series_are_read_as_promtool_reads_them(values: str, at: list[float | None]) -> None:
    assert [value_at(values, minute) for minute in range(len(at))] == at


def test_faults_are_told_and_a_rule_that_is_wrong_is_found(
    watching: Callable[..., Path], gatekeeper: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two alerts as they are, and one whose rule always fires and whose other trial has no series at all."""
    for name in ("prometheus", "amtool"):
        program(name)

    def wrong(config: object, site: Site, reference: object) -> list[Rule]:
        series = site.series("gatekeeper_session_restarts_total")
        trials = [Trial("none dies", [(series, "0x75")], 75, False), Trial("never there", [("gatekeeper_x", "_x75")], 75, True)]
        return [Rule("GatekeeperRestarts", "vector(1)", 0.0, trials)]

    monkeypatch.setattr(restarts, "rules", wrong)
    done = gatekeeper("watch", watching(prometheus="http://127.0.0.1:9", alerts={"confidence": "disabled"}), "--rehearse")
    assert done.returncode == 1, done.stderr
    lines = {" ".join(line.split()) for line in done.stdout.splitlines()}
    assert {
        "GatekeeperAbsent it is there, and idle silent",
        "GatekeeperAbsent it was never there alert",
        "GatekeeperAbsent it has gone alert",
        "GatekeeperErrorRate no request fails silent",
        "GatekeeperErrorRate half the limit silent",
        "GatekeeperErrorRate too few to tell silent",
        "GatekeeperErrorRate requests fail alert",
        "GatekeeperRestarts none dies alert WRONG",
        "GatekeeperRestarts never there alert WRONG: the series never arrived",
        "7 of 9 trials went as they must",
    } == lines


@pytest.mark.thorough
def test_every_rule_goes_as_it_must(watching: Callable[..., Path], log: Callable[..., Path], gatekeeper: Command) -> None:
    for name in ("prometheus", "amtool"):
        program(name)
    limits = {f"latency_p{each}": {"max_ms": 20} for each in (50, 95, 99)} | {
        "accuracy": {"min": 0.9},
        "no_traffic": {"least": 10},
    }
    file = watching(prometheus="http://127.0.0.1:9", alerts=limits | {"agreement": {"min": 0.95}})
    done = gatekeeper("watch", file, "--learn", log("good.jsonl", 300), "--rehearse")
    assert done.returncode == 0, done.stdout
    assert "36 of 36 trials went as they must" in done.stdout


def test_nothing_to_rehearse_is_said(watching: Callable[..., Path], gatekeeper: Command) -> None:
    for name in ("prometheus", "amtool"):
        program(name)
    off = dict.fromkeys(("absent", "error_rate", "restarts", "confidence"), "disabled")
    done = gatekeeper("watch", watching(prometheus="http://127.0.0.1:9", alerts=off), "--rehearse")
    assert done.returncode == 2
    assert "there is nothing to rehearse" in done.stderr


def test_a_program_that_is_missing_is_named(
    watching: Callable[..., Path], gatekeeper: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    done = gatekeeper("watch", watching(prometheus="http://127.0.0.1:9"), "--rehearse")
    assert done.returncode == 2
    assert "apt-get install prometheus." in done.stderr
