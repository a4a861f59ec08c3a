"""A served model whose alerts are raised for real: before Prometheus and Alertmanager, and before looks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from kit.command import Command
from kit.prometheus import program
from kit.subjects import Shelf, left
from kit.watched import watching

from gatekeeper.config.load import load
from gatekeeper.errors import UsageError
from gatekeeper.making.subject import Subject
from gatekeeper.monitor.alerts import absent, agreement, error_rate, latency_p50, no_traffic, restarts
from gatekeeper.monitor.faults import errors
from gatekeeper.monitor.served import How, prove
from gatekeeper.records.base import Verdict
from gatekeeper.records.report import StageReport
from gatekeeper.records.watched import Alerted
from gatekeeper.stages.monitoring import lacks

ALL: dict[str, Any] = {
    "absent": absent.Config(),
    "error_rate": error_rate.Config(max=0.05),
    "restarts": restarts.Config(max=1),
    "latency_p50": latency_p50.Config(max_ms=200),
    "agreement": agreement.Config(min=0.8),
    "no_traffic": no_traffic.Config(least=3600),
}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Subject]:
    shelf = Shelf(tmp_path_factory.mktemp("watched"))
    yield shelf.subject(shelf.original, id="edge/onnx_runtime/int8", task="tabular_classification")


def proved(model: Subject, how: How, limits: dict[str, Any]) -> dict[str, Alerted]:
    said: list[str] = []
    found = prove(model, limits, how, 0, said.append)
    print(*said, f"{found.seconds:.0f} s", sep="\n")
    assert left() == [], "a process outlived its rehearsal"
    return {each.alert: each for each in found.alerts}


def check(model: Subject, how: How, limits: dict[str, Any]) -> None:
    if how == "real_time":
        for name in ("prometheus", "amtool"):
            program(name)
    found = proved(model, how, limits)
    assert found.keys() == limits.keys()
    for name, each in found.items():
        assert each.arrived > 0, f"{name}: {each}"
        assert each.fired_s is not None, f"{name}: {each}"
        assert each.silent, f"{name}: {each}"
        assert each.seen >= each.least, f"{name}: {each}"


def test_errors_and_a_server_that_is_gone_are_told_and_identical_data_is_not(model: Subject) -> None:
    check(model, "real_time", {name: ALL[name] for name in ("absent", "error_rate")})


@pytest.mark.thorough
@pytest.mark.serial
@pytest.mark.parametrize("how", ["real_time", "periodic"])
def test_every_fault_is_told_and_identical_data_is_not(how: How, model: Subject) -> None:
    check(model, how, ALL)


def test_a_fault_that_is_not_injected_has_not_arrived(model: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(errors, "inject", lambda scene: scene.over.wait())
    monkeypatch.setattr("gatekeeper.monitor.served.PATIENCE_S", 0.0)
    each = proved(model, "periodic", {"error_rate": ALL["error_rate"]})["error_rate"]
    assert each.arrived == 0 and each.fired_s is None and each.silent


def test_a_program_that_is_missing_is_named(model: Subject, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match="apt-get install prometheus"):
        prove(model, ALL, "real_time", 0, print)


STAGE = {"stages": ["optimization", "monitoring"]}


def test_a_file_that_lists_the_stage_and_disables_the_watch_is_wrong(gatekeeper: Command, tmp_path: Path) -> None:
    for how, said in {"disabled": "is disabled: nobody would watch", "periodic": "", "real_time": ""}.items():
        keys = STAGE | {"deployment": {"monitoring": how}}
        (tmp_path / "p.yaml").write_text(json.dumps({"edge_ai_pipeline": keys}))
        done = gatekeeper("validate", tmp_path / "p.yaml")
        assert (said in done.stderr + done.stdout) and ("nobody would watch" in done.stderr + done.stdout) == bool(said)


@pytest.mark.parametrize(
    ("deployment", "alerts", "said"),
    [
        ("real_time", {}, ""),
        ("periodic", {}, "is of real_time watching, and the file says periodic"),
        ("real_time", {"no_traffic": {"least": 10}}, "says nothing of no_traffic"),
    ],
)
def test_a_record_is_held_to_what_the_file_asks_for(deployment: str, alerts: dict[str, Any], said: str, tmp_path: Path) -> None:
    own = {"metrics": "http://127.0.0.1:9/metrics", "alerts": alerts}
    keys = STAGE | {"deployment": {"monitoring": deployment}, "monitoring": own}
    (tmp_path / "p.yaml").write_text(json.dumps({"edge_ai_pipeline": keys}))
    full = watching()
    kept = [each for each in full.alerts if each.alert != "no_traffic"]
    line = StageReport(stage="monitoring", verdict=Verdict.PASS, watched=[msgspec.structs.replace(full, alerts=kept)])
    assert said in lacks(load(tmp_path / "p.yaml"), line) if said else not lacks(load(tmp_path / "p.yaml"), line)
