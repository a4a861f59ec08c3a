"""What `testing:` means: which gates apply, what the levels ask for, and what is refused because nothing would measure it."""

from __future__ import annotations

import re
import textwrap
from dataclasses import replace
from pathlib import Path

import pytest
from kit.support import MISSION

from gatekeeper.checks.kinds._base import in_order
from gatekeeper.checks.kinds.load_tests import unmeasured
from gatekeeper.config.limits import limits
from gatekeeper.config.load import load
from gatekeeper.config.loaded import Loaded
from gatekeeper.config.policy import loosened, policy_file
from gatekeeper.errors import ConfigError
from gatekeeper.gates._base import gate
from gatekeeper.gates._base import names as gate_names
from gatekeeper.gates._base import tested_by as measured_by
from gatekeeper.load.profile import SCENARIOS, LoadProfile, profile

STAGES = "stages: [model_validation, optimization, testing]\n"


def write(folder: Path, body: str, name: str = "p.yaml") -> Path:
    for test in ("test_a.py", "test_b.py", "notes.txt"):
        (folder / test).write_text("")
    file = folder / name
    file.write_text("edge_ai_pipeline:\n" + textwrap.indent(textwrap.dedent(body), "  "), encoding="utf-8")
    return file


def read(folder: Path, body: str) -> Loaded:
    return load(write(folder, STAGES + body))


def problems(folder: Path, body: str) -> list[str]:
    """`line:column: message` of each problem."""
    file = write(folder, body)
    with pytest.raises(ConfigError) as caught:
        load(file)
    lines = str(caught.value).splitlines()
    assert all(re.match(rf"{re.escape(str(file))}:\d+:\d+: \S", line) for line in lines)
    return [line.removeprefix(f"{file}:") for line in lines]


def gates_of(loaded: Loaded) -> set[str]:
    """The gates of the testing stage that apply."""
    return {limit.name for limit in limits(loaded, loaded.targets[0]) if measured_by(limit.name)}


# --- what the levels ask for ---------------------------------------------------------------------------------------------

UNDER_LOAD = {"p99_latency", "error_rate"}


@pytest.mark.parametrize(
    ("body", "gates"),
    [
        ("testing: {unit_tests: basic}", {"unit_tests"}),
        ("testing: {unit_tests: comprehensive}", {"unit_tests"}),
        ("testing: {integration_tests: smoke}", {"integration_tests"}),
        ("testing: {security_tests: basic}", {"security_tests"}),
        ("testing: {load_tests: smoke}", UNDER_LOAD),
        ("testing: {load_tests: smoke, soak: {duration: 30m}}", UNDER_LOAD | {"endurance"}),
        ("testing: {load_tests: smoke, soak: {}}", UNDER_LOAD | {"endurance"}),
        ("testing: {load_tests: production_scale}", UNDER_LOAD | {"endurance", "overload"}),
        ("testing: {load_tests: production_scale, load: {over: in_process}}", UNDER_LOAD | {"endurance"}),
        ("testing: {load_tests: smoke}\ngates: {throughput: {min_per_s: 9}}", UNDER_LOAD | {"throughput"}),
        ("testing: {unit_tests: off, load_tests: smoke}", UNDER_LOAD),
    ],
)
def test_a_level_brings_its_gates(tmp_path: Path, body: str, gates: set[str]) -> None:
    assert gates_of(read(tmp_path, body)) == gates


def test_the_mission_s_testing_asks_for_every_gate_that_has_a_default(tmp_path: Path) -> None:
    file = tmp_path / "p.yaml"
    file.write_text(MISSION)
    loaded = load(file)
    assert gates_of(loaded) == {name for name in gate_names() if measured_by(name) and gate(name).DEFAULT is not None}
    deepest = {"unit_tests": "comprehensive", "integration_tests": "full_pipeline", "load_tests": "production_scale"}
    assert {kind: loaded.level(kind) for kind in in_order()} == deepest | {"security_tests": "comprehensive"}
    assert profile(loaded) == LoadProfile()


def test_without_the_stage_nothing_of_it_applies(tmp_path: Path) -> None:
    assert gates_of(load(write(tmp_path, "measure: {seed: 1}"))) == set()


def test_a_gate_that_is_disabled_is_kept_as_disabled(tmp_path: Path) -> None:
    loaded = read(tmp_path, "testing: {load_tests: smoke}\ngates: {error_rate: disabled}")
    found = {limit.name: limit.config for limit in limits(loaded, loaded.targets[0])}
    assert found["error_rate"] is None
    assert found["p99_latency"] == gate("p99_latency").DEFAULT


@pytest.mark.parametrize(
    "body",
    [
        "testing: {load_tests: smoke, load: {p99_ms: 20}}",
        "testing: {load_tests: smoke}\ngates: {p99_latency: {max_ms: 20}}",
        "testing: {load_tests: smoke, load: {p99_ms: 20}}\ngates: {p99_latency: {max_ms: 20}}",
    ],
)
def test_the_latency_limit_means_the_same_under_both_its_names(tmp_path: Path, body: str) -> None:
    loaded = read(tmp_path, body)
    (limit,) = (limit for limit in limits(loaded, loaded.targets[0]) if limit.name == "p99_latency")
    assert limit.config is not None
    assert limit.config.max_ms == 20  # type: ignore[attr-defined]
    assert profile(loaded).p99_ms == 20, "the latency that the search for the highest rate is held against"


# --- what is refused -----------------------------------------------------------------------------------------------------

SMOKE, UNIT = "testing: {load_tests: smoke}\n", "testing: {unit_tests: basic}\n"
REFUSED: dict[str, tuple[str, str, str]] = {
    # name: (body, place, words)
    "unknown level": ("testing: {unit_tests: complete}", "3:25", "is 'complete'. Allowed: basic, comprehensive, off."),
    "misspelt level": ("testing: {load_tests: smok}", "3:25", "is 'smok'; did you mean 'smoke'? Allowed: "),
    "level of another kind": ("testing: {load_tests: comprehensive}", "3:25", "Allowed: off, production_scale, smoke."),
    "level as a switch": ("testing: {unit_tests: true}", "3:25", "true"),
    "unknown kind": ("testing: {unit_test: basic}", "3:13", "unknown key 'unit_test'; did you mean 'unit_tests'?"),
    "no level at all": ("testing: {}", "2:44", "the stage 'testing' has nothing to do. Set a level"),
    "every level off": ("testing: {unit_tests: off}", "2:44", "the stage 'testing' has nothing to do"),
    "own tests that are not there": (
        "testing: {unit_tests: basic, tests: [test_a.py, test_c.py]}", "3:51", "test_c.py. Correct the path.",
    ),
    "own tests that are no Python": ("testing: {unit_tests: basic, tests: [notes.txt]}", "3:40", "is no Python file"),
    "own tests in a folder": ("testing: {unit_tests: basic, tests: [.]}", "3:40", "is no Python file. Name the pytest files"),
    "own tests twice": ("testing: {unit_tests: basic, tests: [test_a.py, ./test_a.py]}", "3:51", "'./test_a.py' is listed twice"),
    "own tests without unit tests": (
        "testing: {load_tests: smoke, tests: [test_a.py]}", "3:32", "testing.unit_tests is off, so this does nothing",
    ),
    "load without load tests": (
        "testing: {unit_tests: basic, load: {target_qps: 5}}", "3:32", "testing.load_tests is off, so this does nothing",
    ),
    "soak without load tests": (
        "testing: {unit_tests: basic, soak: {}}", "3:32", "testing.load_tests is off, so this does nothing",
    ),
    "no server scenario": (
        "testing: {load_tests: smoke, load: {scenarios: [single_stream]}}", "3:50",
        "'server' is not listed, and error_rate and p99_latency would never be measured. Add 'server', or write `disabled`",
    ),
    "no server scenario for one of them": (
        "testing: {load_tests: smoke, load: {scenarios: [offline]}}\ngates: {error_rate: disabled}", "3:50",
        "'server' is not listed, and p99_latency would never be measured",
    ),
    "no server scenario on one target": (
        "testing: {load_tests: smoke, load: {scenarios: [offline]}}\ngates: {error_rate: disabled, p99_latency: disabled}\n"
        "targets: [{name: a, hardware: cpu, gates: {error_rate: {}}}, {name: b, hardware: cpu}]", "3:50",
        "'server' is not listed, and error_rate would never be measured",
    ),
    "no offline scenario": (
        "testing: {load_tests: smoke, load: {scenarios: [server]}}\ngates: {throughput: {min_per_s: 9}}", "3:50",
        "'offline' is not listed, and throughput would never be measured",
    ),
    "a scenario twice": ("testing: {load_tests: smoke, load: {scenarios: [server, server]}}", "3:59", "'server' is listed twice"),
    "an unknown scenario": ("testing: {load_tests: smoke, load: {scenarios: [sever]}}", "3:51", "did you mean 'server'?"),
    "no scenario": ("testing: {load_tests: smoke, load: {scenarios: []}}", "3:50", "at least 1"),
    "throughput without load": (
        UNIT + "gates: {throughput: {min_per_s: 9}}", "4:11",
        "throughput is measured by testing.load_tests, but testing.load_tests is off. Set a level, or remove this.",
    ),
    "unit tests' gate without them": (
        SMOKE + "gates: {unit_tests: {max_failed: 1}}", "4:11",
        "unit_tests is measured by testing.unit_tests, but testing.unit_tests is off. Set a level, or remove this.",
    ),
    "overload at smoke": (
        SMOKE + "gates: {overload: {}}", "4:11",
        "overload is measured by testing.load_tests at production_scale. Set that level, or remove this.",
    ),
    "overload in process": (
        "testing: {load_tests: production_scale, load: {over: in_process}}\ngates: {overload: {}}", "4:11",
        "overload is a property of a server, but testing.load.over is in_process. Set it to http, or remove this.",
    ),
    "overload without load": (UNIT + "gates: {overload: {}}", "4:11", "testing.load_tests is off"),
    "endurance at smoke": (
        SMOKE + "gates: {endurance: {max_drift: 0.1}}", "4:11",
        "endurance is measured by testing.load_tests at production_scale, or where `testing.soak` says how long. "
        "Write `testing: {soak: {}}`, or remove this.",
    ),
    "endurance of a target": (
        SMOKE + "targets: [{name: a, hardware: cpu, gates: {endurance: {}}}]", "4:46", "endurance is measured by",
    ),
    "a soak of a second": ("testing: {load_tests: smoke, soak: {duration: 1s}}", "3:49", "is '1s'; it must be at least 8s"),
    "a load of a moment": ("testing: {load_tests: smoke, load: {duration: 10ms}}", "3:49", "is '10ms'; it must be at least 1s"),
    "a soak of a month": ("testing: {load_tests: smoke, soak: {duration: 720h}}", "3:49", "is '720h'; it must be at most 24h"),
    "a load of a month": ("testing: {load_tests: smoke, load: {duration: 720h}}", "3:49", "is '720h'; it must be at most 24h"),
    "a duration without a unit": ("testing: {load_tests: smoke, soak: {duration: 30}}", "3:49", "30"),
    "more requests than can be kept": (
        "testing: {load_tests: smoke, load: {target_qps: 1000}, soak: {duration: 1h}}", "3:75",
        "'1h' at 1000 requests/s are 3,600,000 requests, 2,000,000 can be kept. Shorten it to 2000s, or lower",
    ),
    "no rate": ("testing: {load_tests: smoke, load: {target_qps: 0}}", "3:51", "must be more than 0"),
    "an absurd rate": ("testing: {load_tests: smoke, load: {target_qps: 1.0e+9}}", "3:51", "must be at most 1000000"),
    "no time for an answer": ("testing: {load_tests: smoke, load: {p99_ms: 0}}", "3:47", "must be more than 0"),
    "two latency limits": (
        "testing: {load_tests: smoke, load: {p99_ms: 5}}\ngates: {p99_latency: {max_ms: 6}}", "4:33", "they are the same limit",
    ),
    "a latency limit that is disabled": (
        "testing: {load_tests: smoke, load: {p99_ms: 5}}\ngates: {p99_latency: disabled}", "4:24", "p99_ms asks for 5",
    ),
    "no share": (SMOKE + "gates: {error_rate: {max: 1}}", "4:29", "must be less than 1"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_nothing_would_measure_is_one_problem_at_its_place(tmp_path: Path, name: str) -> None:
    body, place, words = REFUSED[name]
    found = problems(tmp_path, STAGES + body)
    assert len(found) == 1, found
    assert found[0].startswith(place), found
    assert words in found[0], found
    assert found[0].endswith(".")


@pytest.mark.parametrize("name", [name for name in gate_names() if measured_by(name)])
def test_no_gate_of_the_stage_is_named_without_the_stage(tmp_path: Path, name: str) -> None:
    limit = "{min_per_s: 1}" if name == "throughput" else "{}"
    (found,) = problems(tmp_path, f"gates: {{{name}: {limit}}}")
    assert found.startswith("2:11")
    assert f"{name} is measured by testing." in found
    assert "the stage 'testing' is not listed. Add it to `stages`, set a level, or remove this." in found


def test_a_level_without_the_stage_does_nothing(tmp_path: Path) -> None:
    (found,) = problems(tmp_path, "testing: {unit_tests: basic}")
    assert "the stage 'testing' is not among `stages`, so this does nothing. Add it there." in found


@pytest.mark.parametrize(
    "body",
    [
        "testing: {load_tests: smoke, load: {scenarios: [server]}}",
        "testing: {load_tests: smoke, load: {scenarios: [offline]}}\ngates: {error_rate: disabled, p99_latency: disabled}",
        "testing: {load_tests: smoke, soak: {duration: 24h}}",
        "testing: {load_tests: smoke, load: {target_qps: 1000, duration: 30m}}",
        "testing: {unit_tests: basic, tests: [test_a.py, test_b.py]}",
        "testing: {unit_tests: basic, tests: []}",
        "testing: {unit_tests: basic}\ngates: {endurance: disabled, throughput: disabled}",
    ],
)
def test_what_makes_sense_is_accepted(tmp_path: Path, body: str) -> None:
    read(tmp_path, body)


def test_every_gate_on_load_is_judged_on_a_scenario_or_says_what_measures_it(tmp_path: Path) -> None:
    smoke = read(tmp_path, "testing: {load_tests: smoke}")
    on_load = {name for name in gate_names() if measured_by(name) == "load_tests"}
    listed = {name for name in on_load if gate(name).JUDGES[0] in SCENARIOS}  # type: ignore[attr-defined]
    assert {name for name in on_load if unmeasured(smoke, name)} == on_load - listed == {"endurance", "overload"}


# --- held to a policy ----------------------------------------------------------------------------------------------------


def held(tmp_path: Path, policy: str, here: str) -> Loaded:
    """A file held to a policy."""
    base, own = write(tmp_path, STAGES + policy, "base.yaml"), write(tmp_path, STAGES + here, "here.yaml")
    return replace(load(own), policy=policy_file(base))


@pytest.mark.parametrize(
    ("policy", "here", "holds", "says"),
    [
        ("{p99_ms: 10}", "{p99_ms: 20}", 10, "gates.p99_latency.max_ms: 10.0 in the policy, 20.0 here"),
        ("{p99_ms: 10}", "{p99_ms: 5}", 5, None),
        ("{p99_ms: 10}", "{}", 10, "gates.p99_latency.max_ms: 10.0 in the policy, not given here"),
        ("{}", "{p99_ms: 20}", None, "gates.p99_latency.max_ms: not given in the policy, 20.0 here"),
        ("{}", "{}", None, None),
        ("{target_qps: 50}", "{target_qps: 5}", None, "testing.load.target_qps: 50.0 in the policy, 5.0 here"),
    ],
)
def test_a_policy_s_load_holds(tmp_path: Path, policy: str, here: str, holds: float | None, says: str | None) -> None:
    """The baseline's own latency, which holds where a policy declares none, is not known to be looser than a number."""
    body = "testing: {load_tests: smoke, load: LOAD}\n"
    loaded = held(tmp_path, body.replace("LOAD", policy), body.replace("LOAD", here))
    (limit,) = (limit for limit in limits(loaded, loaded.targets[0]) if limit.name == "p99_latency")
    assert limit.config is not None
    assert limit.config.max_ms == holds  # type: ignore[attr-defined]
    assert profile(loaded).p99_ms == holds
    said = loosened(loaded)
    assert len(said) == (says is not None)
    assert says is None or said[0].startswith(says)


def test_a_policy_that_puts_nothing_under_load_leaves_the_file_its_own_limit(tmp_path: Path) -> None:
    loaded = held(tmp_path, UNIT, "testing: {unit_tests: basic, load_tests: smoke, load: {p99_ms: 7}}")
    assert profile(loaded).p99_ms == 7
    assert loosened(loaded) == []


def test_a_policy_s_levels_and_their_gates_hold(tmp_path: Path) -> None:
    loaded = held(tmp_path, "testing: {load_tests: production_scale}\n", SMOKE)
    assert loaded.level("load_tests") == "production_scale"
    assert gates_of(loaded) == UNDER_LOAD | {"endurance", "overload"}
    assert "testing.load_tests: production_scale in the policy, smoke here" in loosened(loaded)[0]
