"""`gatekeeper deploy --for`: what is written for each engine, held strictly to the engine's own definitions."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import ValidationError
from kit.command import call
from kit.packaged import IMAGE, Packaging
from kit.strict import misspelt, strict

from gatekeeper.deploy.engines._base import ENGINES, VERDICT, Going, engine
from gatekeeper.deploy.packages._manifests import Server
from gatekeeper.deploy.packages._resources import Needs
from gatekeeper.deploy.strategies._base import STRATEGIES, Ramping
from gatekeeper.errors import UsageError

JUDGE = "http://judge.models.svc:8080"
RAMPINGS: tuple[Ramping, ...] = ("gradual", "immediate")
WAYS = [
    (name, strategy, ramping)
    for name in ENGINES.names
    for strategy in engine(name, ENGINES.get(name).STRATEGIES[0]).STRATEGIES
    for ramping in RAMPINGS
]


@cache
def going(strategy: str, ramping: Ramping, automatic: bool = True) -> Going:
    server = Server(
        "digits", IMAGE, Needs(512, 2, "measured"), 2, 8, "horizontal", annotations={"edge-gatekeeper/variant": "a/b/c"}
    )
    return Going(server=server, strategy=strategy, ramping=ramping, automatic=automatic, judge=JUDGE)


@cache
def objects(name: str, strategy: str, ramping: Ramping, automatic: bool = True) -> dict[str, Any]:
    made = engine(name, strategy).files(going(strategy, ramping, automatic))
    return {file: yaml.safe_load(text) for file, text in made.items()}


@pytest.mark.parametrize(("name", "strategy", "ramping"), WAYS)
def test_every_object_is_one_of_its_kind(name: str, strategy: str, ramping: Ramping) -> None:
    for file, document in objects(name, strategy, ramping).items():
        strict(document)
        assert file.endswith(".yaml")


@pytest.mark.parametrize(
    ("name", "file"), [("argo", "rollout"), ("argo", "analysis"), ("flagger", "canary"), ("kserve", "promote")]
)
def test_a_misspelt_key_is_not(name: str, file: str) -> None:
    count = 0
    for path, wrong in misspelt(objects(name, "blue_green", "gradual")[f"{file}.yaml"]):
        count += 1
        with pytest.raises((ValidationError, KeyError)):
            strict(wrong)
            raise AssertionError(path)
    assert count > 15


def steps(name: str, strategy: str, ramping: Ramping) -> Any:
    return objects(name, strategy, ramping)["rollout.yaml"]["spec"]["strategy"]["canary"]["steps"]


def test_argo_judges_each_share_and_blue_green_has_all_of_its_pods_from_the_beginning() -> None:
    gradual = steps("argo", "blue_green", "gradual")
    assert gradual[0] == {"setCanaryScale": {"weight": 100}}
    assert [each["setWeight"] for each in gradual if "setWeight" in each] == [1, 5, 25, 50, 90]
    asked = [step["analysis"]["args"][0]["value"] for step in gradual if "analysis" in step]
    assert asked == ["1", "5", "25", "50", "90"]
    assert all("setCanaryScale" not in each for each in steps("argo", "canary", "gradual"))
    at_once = objects("argo", "blue_green", "immediate")["rollout.yaml"]["spec"]["strategy"]["blueGreen"]
    assert at_once["prePromotionAnalysis"] and at_once["postPromotionAnalysis"] and at_once["scaleDownDelaySeconds"] >= 600


def test_argo_fails_on_a_rollback_alone_and_waits_on_the_rest() -> None:
    [metric] = objects("argo", "canary", "gradual")["analysis.yaml"]["spec"]["metrics"]
    assert (metric["successCondition"], metric["failureCondition"]) == ('result == "promote"', 'result == "rollback"')
    assert metric["failureLimit"] == 0 and metric["consecutiveSuccessLimit"] == 1
    assert metric["inconclusiveLimit"] == metric["count"] - 1, "the last look that says neither pauses it"
    web = metric["provider"]["web"]
    assert web["url"].startswith(JUDGE + VERDICT + "?") and web["jsonPath"] == "{$.decision}"
    [manual] = objects("argo", "canary", "gradual", automatic=False)["analysis.yaml"]["spec"]["metrics"]
    assert manual["failureCondition"] == "false"


def test_flagger_promotes_on_a_yes_alone_and_has_no_metrics_that_pass_without_traffic() -> None:
    analysis = objects("flagger", "canary", "gradual")["canary.yaml"]["spec"]["analysis"]
    assert "metrics" not in analysis and analysis["stepWeights"] == [1, 5, 10, 50]
    hooks = {each["type"]: each["url"] for each in analysis["webhooks"]}
    assert set(hooks) == {"confirm-traffic-increase", "confirm-promotion", "rollback"}
    assert hooks["rollback"].endswith("is=rollback") and hooks["confirm-promotion"].endswith("is=promote&of=promotion")
    manual = objects("flagger", "canary", "gradual", automatic=False)["canary.yaml"]["spec"]["analysis"]["webhooks"]
    assert "rollback" not in {each["type"] for each in manual}


def test_kserve_has_a_file_for_every_step_and_both_ends() -> None:
    made = objects("kserve", "canary", "gradual")
    shares = {file: each["spec"]["predictor"].get("canaryTrafficPercent") for file, each in made.items()}
    assert shares == {
        "step-1-001-percent.yaml": 1,
        "step-2-005-percent.yaml": 5,
        "step-3-010-percent.yaml": 10,
        "step-4-050-percent.yaml": 50,
        "promote.yaml": None,
        "rollback.yaml": 0,
    }


@pytest.mark.parametrize("name", ENGINES.names)
def test_a_strategy_that_an_engine_has_not_is_refused(name: str) -> None:
    for strategy in set(STRATEGIES.names) - set(ENGINES.get(name).STRATEGIES):
        with pytest.raises(UsageError, match=f"deployment.strategy is {strategy}"):
            engine(name, strategy)


def test_files_of_what_passed_and_of_nothing_else(packaging: Packaging) -> None:
    words = ["deploy", "how.yaml", "--result", "out", "--judge", JUDGE, "--for"]
    done = call([*words, "argo"], packaging.folder, {})
    assert done.returncode == 0 and "nothing was applied" in done.stdout, done.stderr
    made = {path.name: path for path in (packaging.folder / "gatekeeper-deploy").iterdir()}
    rollout = yaml.safe_load(made["rollout.yaml"].read_text())
    strict(rollout)
    assert rollout["spec"]["template"]["spec"]["containers"][0]["image"] == IMAGE
    assert call([*words, "argo"], packaging.folder, {}).returncode == 2, "it is there already"
    wrong = call([*words, "argoo"], packaging.folder, {})
    assert wrong.returncode == 2 and "did you mean 'argo'" in wrong.stderr
    bare = call([*words[:-2], "judge", "--for", "argo", "--replace"], packaging.folder, {})
    assert bare.returncode == 2 and "--judge" in bare.stderr
    artifacts = [path for path in (packaging.folder / "out/artifacts").rglob("*") if path.is_file()]
    artifacts[0].write_bytes(artifacts[0].read_bytes() + b"x")
    changed = call([*words, "argo", "--replace"], packaging.folder, {})
    assert changed.returncode == 1 and "is not what was measured" in changed.stderr


def test_the_report_of_another_model_is_refused(packaging: Packaging) -> None:
    """Whoever names the wrong report would have its model serve under this one's name."""
    import onnx

    words = ["deploy", "how.yaml", "--result", "out", "--judge", JUDGE, "--for", "argo"]
    model = packaging.folder / "model.onnx"
    before = model.read_bytes()
    other = onnx.load_from_string(before)
    other.doc_string = "another"
    try:
        model.write_bytes(other.SerializeToString())
        done = call([*words, "--replace"], packaging.folder, {})
        assert done.returncode == 1 and "was measured of a model with the SHA-256" in done.stderr, done.stderr
    finally:
        model.write_bytes(before)


def test_the_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    for name, strategy, ramping in WAYS:
        way = going(strategy, ramping)
        assert engine(name, strategy).files(way) == engine(name, strategy).files(way)
