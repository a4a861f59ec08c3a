"""A pipeline file held to the limits of another commit: what it may tighten, and what it cannot loosen."""

from __future__ import annotations

import textwrap
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from kit.hand_built import commit

from gatekeeper.config.limits import limits
from gatekeeper.config.load import load
from gatekeeper.config.loaded import Loaded
from gatekeeper.config.policy import chosen_policy, loosened, missing, policy_file, policy_notes, unheld
from gatekeeper.config.waivers import FILE_NAME, waivers_for
from gatekeeper.errors import ConfigError, UsageError
from gatekeeper.models.files import digest

WAIVER = "waivers: [{gate: speedup, target: gone, ceiling: 1.5, reason: r, owner: o, expires: 2031-05-01}]\n"


def write(path: Path, body: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("edge_ai_pipeline:\n" + textwrap.indent(textwrap.dedent(body), "  ") + "  measure: {blocks: 2}\n")
    return path


def held(tmp_path: Path, policy: str, here: str) -> Loaded:
    """A file held to a policy."""
    base, own = write(tmp_path / "base" / "p.yaml", policy), write(tmp_path / "here" / "p.yaml", here)
    return replace(load(own), policy=policy_file(base))


def found(loaded: Loaded, target: int = 0) -> dict[str, object]:
    """What holds on a target: the limit, marked where it only warns; None where the gate is disabled."""
    values = {}
    for limit in limits(loaded, loaded.targets[target]):
        value = getattr(limit.config, limit.gate.limit_key) if limit.config else None
        values[limit.name] = f"{value} warn" if limit.config and limit.config.on_fail == "warn" else value
    return values


@pytest.mark.parametrize(
    ("policy", "here", "gate", "holds", "says"),
    [
        ("", "gates: {speedup: {min: 1.2}}", "speedup", 2.0, "gates.speedup.min: 2.0 in the policy, 1.2 here (p.yaml:2)"),
        ("gates: {speedup: {min: 3}}", "", "speedup", 3.0, "gates.speedup.min: 3.0 in the policy, 2.0 here (p.yaml:1)"),
        ("gates: {speedup: {min: 1.5}}", "gates: {speedup: {min: 3}}", "speedup", 3.0, None),
        ("", "gates: {speedup: disabled}", "speedup", 2.0, "gates.speedup.min: 2.0 in the policy, disabled here (p.yaml:2)"),
        ("gates: {speedup: disabled}", "gates: {speedup: disabled}", "speedup", None, None),
        ("gates: {speedup: disabled}", "", "speedup", 2.0, None),
        ("", "gates: {speedup: {on_fail: warn}}", "speedup", 2.0, "gates.speedup.on_fail: fail in the policy, warn here"),
        ("gates: {speedup: {on_fail: warn}}", "gates: {speedup: {min: 1.5}}", "speedup", 1.5, None),
        (
            "gates: {speedup: {on_fail: warn}}", "gates: {speedup: {min: 1.5, on_fail: warn}}", "speedup", "2.0 warn",
            "gates.speedup.min: 2.0 in the policy, 1.5 here (p.yaml:2)",
        ),
        ("gates: {speedup: {min: 1.5}}", "gates: {speedup: {min: 3, on_fail: warn}}", "speedup", 3.0, "gates.speedup.on_fail"),
        ("gates: {energy: {reduction: 0.3}}", "", "energy", 0.3, "gates.energy.reduction: 0.3 in the policy, not given here"),
        ("gates: {power_w: {max: 5}}", "gates: {power_w: disabled}", "power_w", 5.0, "gates.power_w.max: 5.0 in the"),
        ("gates: {power_w: {max: 5}}", "gates: {power_w: {max: 9}}", "power_w", 5.0, "gates.power_w.max: 5.0 in the"),
        ("gates: {power_w: {max: 5}}", "gates: {power_w: {max: 4}}", "power_w", 4.0, None),
        ("", "gates: {stability: {max_variation: 0.3}}", "stability", 0.2, "gates.stability.max_variation: 0.2 in the policy"),
        ("", "gates: {stability: {max_variation: 0.1}}", "stability", 0.1, None),
        (
            "gates: {package_size: {max: 50MB}}", "", "package_size", "50MB",
            "gates.package_size.max: 50MB in the policy, not given here (p.yaml:1)",
        ),
        (
            "gates: {package_size: {max: 50MB}}", "gates: {package_size: {max: 50MiB}}", "package_size", "50MB",
            "gates.package_size.max: 50MB in the policy, 50MiB here (p.yaml:2)",
        ),
        ("gates: {package_size: {max: 50MiB}}", "gates: {package_size: {max: 50MB}}", "package_size", "50MB", None),
        ("gates: {package_size: {max: 1MB}}", "gates: {package_size: {max: <1000kB}}", "package_size", "<1000kB", None),
        ("", "gates: {package_size: {max: 50MB}}", "package_size", "50MB", None),
        ("model_validation: {accuracy_threshold: 0.99}", "", "accuracy", 0.99, "gates.accuracy.retention: 0.99 in"),
        (
            "gates: {accuracy: {retention: 0.99}}", "model_validation: {accuracy_threshold: 0.9}", "accuracy", 0.99,
            "gates.accuracy.retention: 0.99 in the policy, 0.9 here (p.yaml:2)",
        ),
    ],
)  # fmt: skip
def test_no_limit_is_looser_than_the_policy_s(
    tmp_path: Path, policy: str, here: str, gate: str, holds: object, says: str | None
) -> None:
    loaded = held(tmp_path, f"{policy}\n", f"{here}\n")
    assert found(loaded)[gate] == holds
    said = [each.replace(f"{loaded.folder}/", "") for each in loosened(loaded)]
    assert len(said) == (says is not None)
    assert says is None or said[0].startswith(says)


TWO = "targets: [{name: a, hardware: cpu, gates: {speedup: {min: 4}}}, {name: b, hardware: cpu}]\n"


@pytest.mark.parametrize(
    ("here", "speedups", "says"),
    [
        (TWO, [4.0, 2.0], []),
        (
            "targets: [{name: a, hardware: cpu}, {name: b, hardware: cpu, gates: {speedup: {min: 1}}}]\n", [4.0, 2.0],
            ["targets.a.gates.speedup.min: 4.0 in the policy, 2.0", "targets.b.gates.speedup.min: 2.0 in the policy, 1.0"],
        ),
        (TWO.replace("]\n", ", {name: c, hardware: cpu, gates: {speedup: disabled}}]\n"), [4.0, 2.0, 2.0], ["targets.c.gates"]),
        (TWO + "gates: {speedup: {min: 1}}\n", [4.0, 2.0], ["gates.speedup.min: 2.0 in the policy, 1.0"]),
    ],
)  # fmt: skip
def test_limits_of_a_target_hold_as_the_common_ones_do(tmp_path: Path, here: str, speedups: list[float], says: list[str]) -> None:
    loaded = held(tmp_path, TWO, here)
    assert [found(loaded, i)["speedup"] for i in range(len(loaded.targets))] == speedups
    said = loosened(loaded)
    assert len(said) == len(says)
    assert all(one.startswith(other) for one, other in zip(said, says, strict=True))


@pytest.mark.parametrize("key", ["require", "on_inconclusive"])
@pytest.mark.parametrize(("policy", "here"), [("strict", "loose"), ("loose", "strict"), ("loose", "loose"), ("strict", "strict")])
def test_the_words_of_the_policy_hold(tmp_path: Path, key: str, policy: str, here: str) -> None:
    words = {"require": {"strict": "all", "loose": "best"}, "on_inconclusive": {"strict": "fail", "loose": "warn"}}[key]
    loaded = held(tmp_path, f"gates: {{{key}: {words[policy]}}}\n", f"gates: {{{key}: {words[here]}}}\n")
    assert getattr(loaded, key) == words["strict" if "strict" in (policy, here) else "loose"]
    said = [f"gates.{key}: {words[policy]} in the policy, {words[here]} here ({loaded.path}:2)"]
    assert loosened(loaded) == (said if (policy, here) == ("strict", "loose") else [])


def test_a_file_without_a_policy_is_as_it_says(tmp_path: Path) -> None:
    loaded = load(write(tmp_path / "p.yaml", "gates: {speedup: {min: 1.2}, on_inconclusive: warn}\n"))
    assert (found(loaded)["speedup"], loaded.on_inconclusive, loaded.require) == (1.2, "warn", "best")
    assert (loosened(loaded), missing(loaded), policy_notes(loaded)) == ([], [], [])


@pytest.mark.parametrize(
    ("policy", "here", "gone"),
    [
        (TWO, TWO, []),
        (TWO, "targets: [{name: b, hardware: cpu}]\n", ["target a"]),
        (TWO, "\n", ["target a", "target b"]),
        ("\n", TWO, []),
        ("\n", "\n", []),
    ],
)
def test_a_target_that_the_policy_names_is_missed(tmp_path: Path, policy: str, here: str, gone: list[str]) -> None:
    assert [what for what, _ in missing(held(tmp_path, policy, here))] == gone


def test_what_else_differs_is_allowed_and_said(tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    np.savez(tmp_path / "here" / "other.npz", x=[1], site=[1], day=[1])
    policy = "dataset: {path: eval.npz, limit: 500, slices: site}\n"
    policy += "optimization: {frameworks: [openvino], validation: {cross_validation: enabled}}\n"
    here = "dataset: {path: other.npz, slices: [day, site]}\n"
    here += "optimization: {frameworks: [onnx_runtime]}\n"
    loaded = held(
        tmp_path, policy + TWO, here + TWO.replace("hardware: cpu}]", "hardware: intel_cpu}, {name: c, hardware: cpu}]")
    )
    file = loaded.path
    assert policy_notes(loaded) == [
        "target c is not in the policy, whose common limits it is held to",
        f"dataset.limit: 500 in the policy, not given here ({file}:2)",
        f"dataset.path: eval.npz in the policy, other.npz here ({file}:2)",
        f"dataset.slices: site in the policy, ['day', 'site'] here ({file}:2)",
        f"optimization.validation.cross_validation: enabled in the policy, disabled here ({file}:3)",
        f"targets.a.frameworks: ['openvino'] in the policy, ['onnx_runtime'] here ({file}:3)",
        f"targets.b.frameworks: ['openvino'] in the policy, ['onnx_runtime'] here ({file}:3)",
        f"targets.b.hardware: cpu in the policy, intel_cpu here ({file}:4)",
    ]
    assert unheld(loaded) == []


def test_the_policy_at_a_ref_is_the_file_as_it_was_there(tmp_path: Path) -> None:
    file = write(tmp_path / "deep" / "p.yaml", "gates: {speedup: {min: 3}}\n")
    (file.parent / FILE_NAME).write_text(WAIVER)
    sha256, first = digest(file), commit(tmp_path, ".")
    write(file, "gates: {speedup: {min: 1}}\n")
    (file.parent / FILE_NAME).write_text(WAIVER.replace("1.5", "0.1").replace("gone", "local"))
    policy = chosen_policy(file, "main", None)
    assert policy is not None
    assert (policy.name, policy.sha256) == (f"main at {first[:12]}", sha256)
    loaded = replace(load(file), policy=policy)
    assert found(loaded)["speedup"] == 3.0
    waivers = waivers_for(loaded)
    assert waivers is not None
    assert [w.waiver.ceiling for w in waivers.entries] == [1.5], "those of the ref, though they name a target that is gone"


def test_a_file_that_is_new_has_no_policy_and_no_waivers_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "readme").write_text("x")
    name = f"main at {commit(tmp_path, 'readme')[:12]}"
    file = write(tmp_path / "p.yaml", "gates: {speedup: {min: 1}}\n")
    (tmp_path / FILE_NAME).write_text(WAIVER.replace("gone", "local").replace("1.5", "0.5"))
    loaded = replace(load(file), policy=chosen_policy(file, "main", None))
    assert loaded.policy is not None
    assert (loaded.policy.name, loaded.policy.sha256, found(loaded)["speedup"]) == (name, "", 1.0)
    assert policy_notes(loaded) == [f"p.yaml is new: it is not at {name}, so its own limits apply"]
    assert waivers_for(loaded) is None


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"edge_ai_pipeline: {gates: {sped: {}}}\n", "main:p.yaml:1:28: unknown key 'sped'; did you mean 'speedup'?"),
        (b"", "main:p.yaml:1:1: the file is empty"),
        (b"\xff\xfe", "main:p.yaml: not UTF-8 text"),
        (
            b"edge_ai_pipeline: {model_validation: {accuracy_threshold: 0.9}, gates: {accuracy: {retention: 0.8}}}\n",
            "they are the same limit",
        ),
    ],
)
def test_a_policy_that_is_damaged_is_named_with_its_ref(tmp_path: Path, content: bytes, says: str) -> None:
    file = tmp_path / "p.yaml"
    file.write_bytes(content)
    commit(tmp_path, "p.yaml")
    with pytest.raises(UsageError) as caught:
        chosen_policy(file, "main", None)
    assert says in str(caught.value)


def test_the_policy_s_model_and_data_need_not_be_here(tmp_path: Path) -> None:
    file = write(tmp_path / "p.yaml", "model: {path: moved.onnx}\ndataset: {path: moved.npz}\n")
    assert policy_file(file).limits is not None
    with pytest.raises(ConfigError):
        load(file)


def test_two_policies_and_none(tmp_path: Path) -> None:
    file = write(tmp_path / "p.yaml", "gates: {}\n")
    assert chosen_policy(file, None, None) is None
    with pytest.raises(UsageError, match="Use one of them"):
        chosen_policy(file, "main", file)
    with pytest.raises(UsageError, match="no such file"):
        chosen_policy(file, None, tmp_path / "none.yaml")
