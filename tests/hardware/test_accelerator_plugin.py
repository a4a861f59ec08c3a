"""The plugin of docs/hardware.md, installed from outside: an accelerator that nobody has yet is named, and never pretended to."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from kit.command import Command
from kit.support import REPOSITORY, install_plugin, write_project

PAGE = (REPOSITORY / "docs/hardware.md").read_text()
SHOWN = dict(re.findall(r"`([\w.]+)`:\n\n```\w+\n(.*?)```", PAGE, re.DOTALL))
"""Name of each file of the plugin -> what it holds."""


def entry_points(groups: dict[str, dict[str, str]]) -> str:
    return "".join(f"[{group}]\n" + "".join(f"{k} = {v}\n" for k, v in own.items()) for group, own in groups.items())


@pytest.fixture(scope="module")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment in which it is installed."""
    modules = {name.removesuffix(".py"): code for name, code in SHOWN.items() if name.endswith(".py")}
    assert len(modules) == 2
    groups = tomllib.loads(SHOWN["pyproject.toml"])["project"]["entry-points"]
    return install_plugin(tmp_path_factory.mktemp("site"), modules, entry_points(groups))


def project(folder: Path, target: str, optimization: str = "") -> Path:
    file = write_project(folder, "int8_dynamic", "onnx_runtime")
    text = file.read_text().replace("hardware: cpu", target)
    file.write_text(re.sub(r"optimization: .*", f"optimization: {optimization}", text) if optimization else text)
    return file


def test_its_probe_and_its_target_are_listed(plugin: dict[str, str], gatekeeper: Command) -> None:
    found = json.loads(gatekeeper("hardware", "--json", "--time-limit", "300", env=plugin).stdout)
    assert {each["probe"]: each["state"] for each in found["probes"]}["photonic"] == "nothing"
    assert found["targets"]["photonic_card"] == "this machine has no photonic card"


def test_without_the_word_of_the_file_it_is_refused(plugin: dict[str, str], tmp_path: Path, gatekeeper: Command) -> None:
    done = gatekeeper("validate", project(tmp_path, "hardware: photonic_card"), env=plugin)
    assert done.returncode == 2
    assert "pipeline.yaml:4:" in done.stderr and "no listed framework supports photonic_card" in done.stderr
    assert "Say `fallback: cpu`" in done.stderr


def test_without_the_plugin_the_name_is_unknown(tmp_path: Path, gatekeeper: Command) -> None:
    done = gatekeeper("validate", project(tmp_path, "hardware: photonic_card, fallback: cpu"))
    assert done.returncode == 2
    assert "'photonic_card'" in done.stderr and "Allowed: " in done.stderr and "other" in done.stderr


def test_the_report_says_that_it_ran_on_the_cpu(plugin: dict[str, str], tmp_path: Path, gatekeeper: Command) -> None:
    file = project(tmp_path, "hardware: photonic_card, fallback: cpu")
    done = gatekeeper("run", file, "--quiet", env=plugin)
    assert done.returncode in (0, 1, 3), done.stderr
    report: dict[str, Any] = json.loads((tmp_path / "gatekeeper-report/report.json").read_text())
    [target] = report["targets"]
    [leg] = target["legs"]
    assert (target["hardware"], leg["device"], leg["error"]) == ("photonic_card", "cpu", "")
    said = "it ran on the CPU instead, because of `fallback: cpu`. This says nothing of photonic_card"
    assert any(said in note for note in leg["notes"])
    assert said.replace("`", "") in (tmp_path / "gatekeeper-report/report.md").read_text().replace("`", "").replace("\\", "")
    assert said in " ".join(done.stdout.split())


def test_the_fallback_without_a_name_of_its_own(tmp_path: Path, gatekeeper: Command) -> None:
    (tmp_path / "allowed").mkdir()
    file = project(tmp_path / "allowed", "hardware: other, fallback: cpu", "{frameworks: auto, techniques: auto}")
    plan = json.loads(gatekeeper("plan", file, "--format", "json").stdout)
    assert [leg["framework"] for leg in plan["legs"]] == ["onnx_runtime", "openvino"]
    assert not any(leg["skip"] or leg["error"] for leg in plan["legs"])
    assert gatekeeper("validate", project(tmp_path, "hardware: other")).returncode == 2
