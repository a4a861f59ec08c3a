"""What CONTRIBUTING.md shows, done: each of its files is all that its kind of thing takes.

They are installed as a package of somebody else's, and put one by one into a copy of gatekeeper; both then run a pipeline that
uses all of them through the command line, to their lines in the reports.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from kit.support import REPOSITORY, install_plugin, write_project

GUIDE = (REPOSITORY / ".github/CONTRIBUTING.md").read_text()
SHOWN = re.compile(r"`gatekeeper/([\w/]+)\.py`[^\n]*:\n\n```python\n(.*?)```", re.DOTALL)
FILES = {match[1]: match[2] for match in SHOWN.finditer(GUIDE)}
"""Place below gatekeeper/, without its ending -> code."""

KINDS = {
    "gates",
    "reports",
    "evaluate/tasks",
    "data/corruptions",
    "frameworks",
    "hardware/targets",
    "hardware/probes",
    "checks/unit/cases",
    "checks/security/attacks",
    "checks/integration/cases",
    "checks/kinds",
    "stages",
    "scans",
    "deploy/packages",
    "repair/remedies",
    "monitor/signals",
    "monitor/drift",
    "monitor/alerts",
    "monitor/actions",
    "causes/bottlenecks",
    "causes/diagnoses",
    "explain/profilers",
}
PIPELINE = """\
edge_ai_pipeline:
  stages: [model_validation, optimization, weighing, testing]
  model: {path: model.onnx, task: severity}
  dataset: {path: eval.npz}
  targets: [{name: hall, hardware: kiosk, threads: 1}]
  optimization: {frameworks: [onnx_reference]}
  weighing: {most: 2MB}
  testing: {unit_tests: basic, file_tests: basic, integration_tests: smoke, security_tests: basic}
  gates: {load_time: {max_ms: 60000}, memory: disabled, stability: disabled, speedup: {min: 0.001}, accuracy: {retention: 0.5},
    robustness: {retention: 0.5, corruptions: [{offset: {by: 0.1}}]}}
  measure: {max_rounds: 3, blocks: 1, block_ms: 5}
  model_validation: {security_scan: enabled}
  packaging: {usb_stick: {greeting: hello}}
  monitoring: {requests: asked.jsonl, alerts: {client_errors: {max: 0.2}}, resolution: {kubernetes: pods, steps: [longer_queue]}}
"""
VARIANT = "hall/onnx_reference/rounded"
CHECKS = {"doubled": "unit_tests", "no_program": "file_tests", "patience": "integration_tests", "cookies": "security_tests"}


def test_every_kind_of_thing_is_shown_and_short() -> None:
    assert {place.rpartition("/")[0] for place in FILES} == KINDS
    for place, code in FILES.items():
        assert len(code.splitlines()) < 25, place


def installed(folder: Path) -> dict[str, str]:
    """As a package from elsewhere, through its entry points."""
    groups = [f"[gatekeeper.{kind.replace('/', '.')}]\n{name} = {_module(kind, name)}\n" for kind, _, name in map(_parted, FILES)]
    modules = {_module(*_parted(place)[::2]): code for place, code in FILES.items()}
    return install_plugin(folder / "site", modules, "\n".join(groups))


def added(folder: Path) -> dict[str, str]:
    """As files of a copy of gatekeeper, with nothing else of it changed."""
    copy = folder / "copy"
    shutil.copytree(REPOSITORY / "gatekeeper", copy / "gatekeeper")  # with what is compiled of it
    for place, code in FILES.items():
        file = copy / "gatekeeper" / f"{place}.py"
        assert not file.exists(), place
        file.write_text(code)
    return {"PYTHONPATH": str(copy)}


def _module(kind: str, name: str) -> str:
    """A framework and its profiler have one name."""
    return f"shown_{kind.replace('/', '_')}_{name}"


def _parted(place: str) -> tuple[str, str, str]:
    return place.rpartition("/")


@pytest.fixture(scope="module", params=[installed, added], ids=["from another package", "inside"])
def ran(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """The folder of the reports, and the environment that has the files."""
    folder = tmp_path_factory.mktemp("shown")
    write_project(folder)
    (folder / "p.yaml").write_text(PIPELINE)
    environment = request.param(folder)
    run = subprocess.run(
        [sys.executable, "-P", "-m", "gatekeeper", "run", "p.yaml", "--quiet"],
        cwd=folder, env=os.environ | environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.returncode in (0, 1, 3), run.stdout + run.stderr
    return folder / "gatekeeper-report", environment


@pytest.fixture
def report(ran: tuple[Path, dict[str, str]]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((ran[0] / "report.json").read_text())
    return found


def test_all_of_them_are_in_the_report(report: dict[str, Any]) -> None:
    [target] = report["targets"]
    [variant] = target["variants"]
    assert (target["name"], target["hardware"], target["legs"][0]["error"]) == ("hall", "kiosk", "")
    assert (variant["id"], variant["verdict"]) == (VARIANT, "pass"), variant["reason"]
    gates = {gate["gate"]: gate["verdict"] for gate in variant["gates"]}
    [classes] = [gate["details"]["classes"] for gate in variant["gates"] if gate["gate"] == "worst_class"]
    assert {name for name in classes if name.startswith("class")} == {"class 0", "class 1"}, (
        "the task's, of the four that the model has"
    )
    assert {"load_time": "pass", "file_tests": "pass", "speedup": "pass", "robustness": "pass"}.items() <= gates.items()
    checks = {check["name"]: (check["kind"], check["verdict"]) for check in variant["tested"]["checks"]}
    assert {name: (kind, "pass") for name, kind in CHECKS.items()}.items() <= checks.items()
    stages = {stage["stage"]: stage for stage in report["stages"]}
    assert stages["weighing"]["verdict"] == "pass"
    assert stages["weighing"]["where"].endswith(":7")
    [scanned] = stages["model_validation"]["scans"][0]["files"]
    assert "sizes" in scanned["scans"]
    assert list(stages) == ["model_validation", "optimization", "weighing", "testing"]


def test_all_of_them_are_cases_of_junit(ran: tuple[Path, dict[str, str]]) -> None:
    cases = {(case.get("classname"), case.get("name")) for case in ElementTree.parse(ran[0] / "junit.xml").iter("testcase")}
    assert {(VARIANT, "load_time"), (VARIANT, "file_tests"), ("pipeline", "weighing")} <= cases
    assert {(f"{VARIANT}/{kind}", name) for name, kind in CHECKS.items()} <= cases


def test_all_of_them_are_in_what_people_read(ran: tuple[Path, dict[str, str]]) -> None:
    text = (ran[0] / "report.md").read_text()
    for name in ("hall", "onnx_reference", "load_time", "weighing", "file_tests", *CHECKS):
        assert name.replace("_", r"\_") in text or name in text, name
    assert f"{VARIANT},load_time,pass" in (ran[0] / "report.csv").read_text()


def test_what_passed_is_packaged(ran: tuple[Path, dict[str, str]], tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "gatekeeper", "package", "gatekeeper-report", "--output", str(tmp_path / "package")],
        cwd=ran[0].parent, env=os.environ | ran[1], capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "package/usb_stick/README").read_text() == "hello\n"
    assert (tmp_path / "package/SHA256SUMS").read_text().count("usb_stick/model/") == 1


def test_a_repair_tries_it(ran: tuple[Path, dict[str, str]], tmp_path: Path) -> None:
    """What loses a gate on speed is asked for it; without time nothing else of the ladder is begun."""
    for name in ("model.onnx", "eval.npz"):
        shutil.copy(ran[0].parent / name, tmp_path / name)
    loses = (
        PIPELINE.replace("threads: 1", "threads: 2")
        .replace("60000", "0.001")
        .replace(", optimization, weighing, testing", ", optimization")
    )
    lines = [
        line for line in loses.splitlines() if not line.startswith(("  weighing", "  testing", "  packaging", "  monitoring"))
    ]
    (tmp_path / "p.yaml").write_text("\n".join(lines))
    words = ["repair", "p.yaml", "--quiet", "--budget", "1ms", "--format", "json"]
    done = subprocess.run(
        [sys.executable, "-P", "-m", "gatekeeper", *words],
        cwd=tmp_path, env=os.environ | ran[1], capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 3, done.stdout + done.stderr
    [tried] = [each for each in json.loads(done.stdout)["tried"] if each["remedy"] == "single_thread"]
    assert (tried["step"], tried["edits"]) == ("waiting", [{"path": ["targets", 0, "threads"], "value": 1}])


def test_explain_has_them(ran: tuple[Path, dict[str, str]], report: dict[str, Any], tmp_path: Path) -> None:
    """Its profile, its bottleneck, and of a report in which that gate failed, its problem."""
    [gate] = [each for each in report["targets"][0]["variants"][0]["gates"] if each["gate"] == "load_time"]
    gate["verdict"] = "fail"
    (tmp_path / "report.json").write_text(json.dumps(report))
    said = []
    for words in (["gatekeeper-report"], [str(tmp_path), "--no-measure"]):
        done = subprocess.run(
            [sys.executable, "-P", "-m", "gatekeeper", "explain", *words, "--json"],
            cwd=ran[0].parent, env=os.environ | ran[1], capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        said += json.loads(done.stdout)["variants"]
    assert said[0]["profile"]["profiler"] == "onnx_reference", said[0]["unsaid"]
    assert {each["operator"] for each in said[0]["profile"]["operators"]} == {"MatMul"}
    assert "heat" in {each["name"] for each in said[0]["bottlenecks"]}
    assert [(each["problem"], each["gates"]) for each in said[1]["diagnoses"]] == [("slow_start", ["load_time"])]


def test_the_watch_has_them(ran: tuple[Path, dict[str, str]], tmp_path: Path) -> None:
    """Its signal, its alert and its test of drift see requests of which half are refused, and an input that goes missing; its
    action is proposed against the few that the server fails to answer.
    """
    told, now = ran[0].parent, time.time()
    for name, x, status in (("good", 1.0, 200), ("asked", None, 404)):
        rows = [
            {
                "time": now - 10 * i,
                "inputs": {"x": x if i % 2 else 1.0},
                "status": status if i % 2 else 500 if x is None and i % 20 == 0 else 200,
            }
            for i in range(800)
        ]
        (told / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (told / "pods").mkdir()
    pods = {"template": {"spec": {"containers": [{"image": "digits"}]}}}
    (told / "pods/a.yaml").write_text(json.dumps({"kind": "Deployment", "metadata": {"name": "digits"}, "spec": pods}))
    words = [sys.executable, "-P", "-m", "gatekeeper", "watch", "p.yaml"]
    for more in (["--learn", "good.jsonl", "--write", str(tmp_path)], ["--once", "--format", "json"]):
        done = subprocess.run(
            [*words, *more], cwd=told, env=os.environ | ran[1], capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == (1 if "--once" in more else 0), done.stdout + done.stderr
    look = json.loads(done.stdout)
    assert {each["name"]: each["value"] for each in look["signals"]}["mistakes"] == 0.5
    assert {"client_errors", "missing/x"} <= {each["name"] for each in look["findings"] if each["status"] == "fires"}
    assert "GatekeeperClientErrors" in (tmp_path / "gatekeeper_rules.yml").read_text()
    assert "mistakes" in (tmp_path / "grafana_dashboard.json").read_text()
    assert "error_rate: longer_queue: proposed" in done.stderr
    [patch] = told.rglob("error_rate-queue.json")
    assert json.loads(patch.read_text())[0]["value"] == ["--queue", "128"]


def test_their_sections_and_limits_are_checked(ran: tuple[Path, dict[str, str]], tmp_path: Path) -> None:
    bad = PIPELINE.replace("2MB", "much").replace("60000", "-1").replace("file_tests: basic", "file_tests: deep")
    for name in ("model.onnx", "eval.npz"):
        shutil.copy(ran[0].parent / name, tmp_path / name)
    (tmp_path / "p.yaml").write_text(bad)
    done = subprocess.run(
        [sys.executable, "-P", "-m", "gatekeeper", "validate", "p.yaml"],
        cwd=tmp_path, env=os.environ | ran[1], capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    lines = done.stderr.splitlines()
    assert [line.split(":")[1] for line in lines] == ["7", "8", "9"], done.stderr
    assert "weighing.most is 'much'" in lines[0]
    assert lines[1].endswith("testing.file_tests is 'deep'. Allowed: basic, off.")
    assert "load_time.max_ms is -1" in lines[2]


def test_the_probe_is_asked(ran: tuple[Path, dict[str, str]], tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "gatekeeper", "hardware", "--json", "--time-limit", "300"],
        cwd=tmp_path, env=os.environ | ran[1], capture_output=True, text=True, check=True,
    )  # fmt: skip
    states = {each["probe"]: (each["state"], each["reason"]) for each in json.loads(done.stdout)["probes"]}
    assert states["fpga"] in (("nothing", ""), ("found", ""))


def test_without_them_the_file_is_refused(ran: tuple[Path, dict[str, str]]) -> None:
    """They are what makes it valid: nothing of them is known to gatekeeper itself."""
    done = subprocess.run(
        [sys.executable, "-m", "gatekeeper", "validate", "p.yaml"], cwd=ran[0].parent, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    for name in (
        "weighing",
        "kiosk",
        "onnx_reference",
        "load_time",
        "file_tests",
        "severity",
        "offset",
        "client_errors",
        "longer_queue",
    ):
        assert name in done.stderr, name
