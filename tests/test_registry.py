"""A folder is a registry: its members, the hint for a name it has not, and members from other packages."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from gatekeeper.errors import ExitCode, UsageError
from gatekeeper.registry import Registry

FOLDERS = [
    "checks.integration.cases",
    "checks.kinds",
    "checks.security.attacks",
    "checks.unit.cases",
    "cli",
    "deploy.engines",
    "deploy.faults",
    "deploy.packages",
    "deploy.strategies",
    "frameworks",
    "gates",
    "hardware.probes",
    "hardware.targets",
    "models.formats",
    "github.calls",
    "monitor.actions",
    "monitor.alerts",
    "monitor.drift",
    "monitor.escalations",
    "monitor.faults",
    "monitor.signals",
    "monitor.sources",
    "reports",
    "stages",
    "evaluate.datasets",
    "data.corruptions",
    "measure.energy",
]

GATE = '''
from typing import Annotated
from msgspec import Meta
from gatekeeper.gates._base import GateConfig, unmeasured

DESCRIPTION = "The variant starts in time."
UNIT, BOUND = "s", "at_most"
BASIS = "rounds"
limit_key = "most"
DEFAULT = None

class Config(GateConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Limit."""
    most: Annotated[float, Meta(gt=0, description="Seconds.")]

def judge(config, evidence):
    return unmeasured("not here")
'''

FRAMEWORK = """
EXTRA = "theirs"
REQUIRES = ("click",)
TECHNIQUES = {"shrink": "makes it smaller", "stretch": "makes it larger"}

def supports(model_format, device): return None if device == "cpu" else "only a CPU"
def defaults(model_format, device): return ("shrink", "stretch")
def refuses(technique, model, calibrated): return "too large already" if technique == "stretch" else None
def optimize(job): raise NotImplementedError
def open_session(path, threads, device): raise NotImplementedError
"""

HARDWARE = """
DESCRIPTION, DEVICE, PRIMARY, SECOND, SPECIAL = "A toaster", "cpu", "onnx_runtime", "openvino", "warm"
def absent(machine): return "this machine is no toaster"
"""


KIND = """
from typing import Annotated
from msgspec import Meta
from gatekeeper.checks.kinds._base import Outcome
from gatekeeper.gates._checks import checks_gate

DESCRIPTION, TITLE, LEVELS, ORDER, SERVER = "Licences of what is shipped.", "licences", ("shallow", "deep"), 15, False
GATE = checks_gate("license_tests", "No licence forbids it.")
KEYS = {"allowed": (Annotated[list[str], Meta(description="Licences that are fine.")], [])}

def run(bench): return Outcome()
def problems(review):
    if "none" in review.loaded.section("testing").allowed:
        review.add(("testing", "allowed"), "there is no licence of the name none.")
"""


@pytest.fixture
def plugins(tmp_path: Path) -> Path:
    """A folder as pip would leave it, with one member for each of several registries."""
    folder = tmp_path / "site"
    information = folder / "x-1.0.dist-info"
    information.mkdir(parents=True)
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: x\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text(
        "[gatekeeper.gates]\nstartup = x_gate\n"
        "[gatekeeper.frameworks]\ntheirs = x_framework\nonnx_runtime = x_framework\n"
        "[gatekeeper.hardware.targets]\ntoaster = x_hardware\n"
        "[gatekeeper.checks.kinds]\nlicense_tests = x_kind\n"
        "[gatekeeper.reports]\nnot_a_module = x_gate:judge\n"
    )
    (folder / "x_gate.py").write_text(GATE)
    (folder / "x_kind.py").write_text(KIND)
    (folder / "x_framework.py").write_text(FRAMEWORK)
    (folder / "x_hardware.py").write_text(HARDWARE)
    return folder


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_listed_member_can_be_had(folder: str) -> None:
    registry = Registry(folder)
    assert registry.names == tuple(sorted(registry.names))
    assert registry.names
    for name in registry.builtin:
        assert registry.get(name).__name__ == f"gatekeeper.{folder}.{name}"


@pytest.mark.parametrize("folder", FOLDERS)
def test_files_with_an_underscore_are_no_members(folder: str) -> None:
    assert not [name for name in Registry(folder).names if name.startswith("_")]


@pytest.mark.parametrize(
    ("folder", "name", "hint"),
    [
        ("gates", "sped", "did you mean 'speedup'?"),
        ("frameworks", "onnx-runtime", "did you mean 'onnx_runtime'?"),
        ("hardware.targets", "nvidia", "did you mean 'nvidia_gpu'?"),
        ("reports", "zzzzzz", "junit"),
        ("gates", "_base", "speedup"),
        ("gates", "", "speedup"),
    ],
)
def test_an_unknown_name_lists_what_exists(folder: str, name: str, hint: str) -> None:
    registry = Registry(folder)
    with pytest.raises(UsageError) as caught:
        registry.get(name)
    assert caught.value.exit_code == ExitCode.USAGE
    assert f"'{name}'" in str(caught.value)
    assert hint in str(caught.value)
    assert all(member in str(caught.value) for member in registry.names)


def test_listing_imports_no_member() -> None:
    import subprocess

    code = (
        "import sys; from gatekeeper.registry import Registry; Registry('frameworks').names;"
        "print([m for m in sys.modules if m.startswith('gatekeeper.frameworks.')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_plugins_are_members(plugins: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(plugins)
    for folder, name in (("gates", "startup"), ("frameworks", "theirs"), ("hardware.targets", "toaster")):
        assert name in Registry(folder).names
        assert name not in Registry(folder).builtin
        assert Registry(folder).get(name).__name__.startswith("x_")


def test_a_plugin_does_not_replace_a_builtin_member(plugins: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(plugins)
    registry = Registry("frameworks")
    assert registry.names.count("onnx_runtime") == 1
    assert registry.get("onnx_runtime").__name__ == "gatekeeper.frameworks.onnx_runtime"


@pytest.mark.parametrize("entries", ["", "[gatekeeper.gates]\nstartup = json\n"])
def test_a_distribution_hides_one_of_its_name_behind_it(
    entries: str, plugins: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for place, spelling in (("front", "Some.Plugin"), ("back", "some_plugin")):
        information = tmp_path / place / f"{spelling}-1.0.dist-info"
        information.mkdir(parents=True)
        said = entries if place == "front" else "[gatekeeper.gates]\nstartup = x_gate\nhidden = x_gate\n"
        (information / "entry_points.txt").write_text(said)
    (plugins / "x-1.0.dist-info" / "entry_points.txt").unlink()
    for place in (plugins, tmp_path / "back", tmp_path / "front"):
        monkeypatch.syspath_prepend(place)
    registry = Registry("gates")
    assert set(registry.names) - set(registry.builtin) == ({"startup"} if entries else set())
    if entries:
        assert registry.get("startup") is json


@pytest.mark.parametrize(("folder", "lacks"), [("stages", "ORDER"), ("checks.kinds", "GATE"), ("gates", "Config")])
def test_a_plugin_that_lacks_what_it_must_have_is_refused_by_name(
    folder: str, lacks: str, plugins: Path, tmp_path: Path, gatekeeper: Callable
) -> None:
    (plugins / "x-1.0.dist-info" / "entry_points.txt").write_text(f"[gatekeeper.{folder}]\nhalf = x_half\n")
    (plugins / "x_half.py").write_text("DESCRIPTION = 'half of one'\n")
    (tmp_path / "p.yaml").write_text("edge_ai_pipeline: {}\n")
    done = gatekeeper("validate", "p.yaml", env={"PYTHONPATH": str(plugins)})
    assert done.returncode == 2
    assert f"the plugin 'half' of gatekeeper.{folder} has no " in done.stderr and lacks in done.stderr


def test_a_plugin_that_is_no_module_is_refused(plugins: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(plugins)
    with pytest.raises(UsageError, match=r"'not_a_module'.*must name a module"):
        Registry("reports").get("not_a_module")


def test_a_plugin_that_cannot_be_imported_is_refused_by_name(plugins: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entries = plugins / "x-1.0.dist-info" / "entry_points.txt"
    entries.write_text("[gatekeeper.reports]\nbroken = x_is_not_there\n")
    monkeypatch.syspath_prepend(plugins)
    with pytest.raises(UsageError, match="broken"):
        Registry("reports").get("broken")


def test_a_plugin_gate_is_a_key_of_the_pipeline_file(plugins: Path, tmp_path: Path, gatekeeper: Callable) -> None:
    (tmp_path / "good.yaml").write_text("edge_ai_pipeline:\n  gates: {startup: {most: 2.5}}\n")
    (tmp_path / "bad.yaml").write_text("edge_ai_pipeline:\n  gates: {startup: {mst: 2.5}, starup: {}}\n")
    assert gatekeeper("validate", "good.yaml").returncode == 2, "without the plugin the key is unknown"
    env = {"PYTHONPATH": str(plugins)}
    assert gatekeeper("validate", "good.yaml", env=env).returncode == 0
    bad = gatekeeper("validate", "bad.yaml", env=env)
    assert bad.returncode == 2
    assert "did you mean 'most'?" in bad.stderr
    assert "did you mean 'startup'?" in bad.stderr


def test_a_plugin_kind_of_check_brings_its_level_its_keys_and_its_gate(
    plugins: Path, tmp_path: Path, gatekeeper: Callable
) -> None:
    listed = "edge_ai_pipeline:\n  stages: [optimization, testing]\n  testing: {license_tests: LEVEL, allowed: [LICENCE]}\n"
    gates = "  gates: {license_tests: {max_failed: 1}}\n"
    env = {"PYTHONPATH": str(plugins)}
    for name, text in {
        "good": listed.replace("LEVEL", "deep").replace("LICENCE", "MIT") + gates,
        "shallow": listed.replace("LEVEL", "basic").replace("LICENCE", "MIT"),
        "none": listed.replace("LEVEL", "deep").replace("LICENCE", "none"),
        "off": listed.replace("LEVEL", "off").replace("LICENCE", "MIT").replace("off,", "off, unit_tests: basic,") + gates,
    }.items():
        (tmp_path / f"{name}.yaml").write_text(text)
    assert gatekeeper("validate", "good.yaml").returncode == 2, "without the plugin the keys are unknown"
    good = gatekeeper("validate", "good.yaml", env=env)
    assert good.returncode == 0, good.stderr
    said = {name: gatekeeper("validate", f"{name}.yaml", env=env).stderr for name in ("shallow", "none", "off")}
    assert "license_tests is 'basic'. Allowed: deep, off, shallow." in said["shallow"]
    assert "there is no licence of the name none." in said["none"]
    assert "license_tests is measured by testing.license_tests, but testing.license_tests is off. Set a level" in said["off"]
    assert "testing.license_tests is off, so this does nothing. Set a level, or remove it." in said["off"]


def test_a_plugin_framework_and_hardware_are_planned(plugins: Path, tmp_path: Path, gatekeeper: Callable) -> None:
    import onnx
    from onnx import TensorProto, helper

    tensor = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 4]) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", tensor[:1], tensor[1:])
    onnx.save(helper.make_model(graph), str(tmp_path / "m.onnx"))
    (tmp_path / "p.yaml").write_text(
        "edge_ai_pipeline:\n"
        "  model: {path: m.onnx}\n"
        "  optimization: {frameworks: [theirs]}\n"
        "  targets: [{name: kitchen, hardware: toaster}]\n"
    )
    done = gatekeeper("plan", "p.yaml", "--format", "json", env={"PYTHONPATH": str(plugins)})
    assert done.returncode == 0, done.stderr
    (leg,) = json.loads(done.stdout)["legs"]
    assert (leg["id"], leg["hardware"], leg["extra"], leg["error"]) == ("kitchen/theirs", "toaster", "theirs", None)
    assert [(v["technique"], v["skip"]) for v in leg["variants"]] == [("shrink", None), ("stretch", "too large already")]


def test_the_command_line_lists_its_folder(gatekeeper: Callable) -> None:
    text = gatekeeper("--help").stdout
    for name in Registry("cli").names:
        assert f"\n  {name} " in text
