"""Pipeline files, good and bad: what is accepted, what is refused where, and which limits result."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from kit.support import MISSION

from gatekeeper.config.limits import limits
from gatekeeper.config.load import load
from gatekeeper.config.loaded import Loaded
from gatekeeper.config.schema import pipeline_schema
from gatekeeper.config.types import Document
from gatekeeper.errors import ConfigError, ExitCode, UsageError
from gatekeeper.gates._base import gate
from gatekeeper.gates._base import names as gate_names
from gatekeeper.gates._base import tested_by as measured_by

PACKAGING = """\
  packaging:
    mobile_deployment:
      ios:
        framework: apple_mlx
        quantization: int4
        memory_mapping: true
        background_execution: limited
        packaging: {format: mlx, bundle_size: <50MB}
      android:
        framework: llama_cpp
        quantization: q4_k_m
        threading: android_optimized
        memory_management: conservative
        packaging: {format: gguf, apk_size: <100MB}
      cross_platform:
        framework: onnx_runtime
        quantization: int8
        execution_provider: cpu
        packaging: {format: onnx, shared_libraries: minimal}
    edge_server:
      intel_based:
        framework: openvino
        optimization: {quantization: int8, acceleration: cpu_gpu_auto, batch_processing: dynamic}
        deployment: {container: openvino_runtime, orchestration: kubernetes, scaling: horizontal}
      nvidia_based:
        framework: microsoft_olive
        optimization: {quantization: int4, acceleration: cuda, tensor_parallelism: true}
        deployment: {container: nvidia_triton, orchestration: kubernetes, scaling: gpu_aware}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder in which the model and datasets of the tests exist."""
    for name in ("model.onnx", "eval.npz", "calib.npz", "notes.txt"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "pointer.npz").write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    return tmp_path


def write(folder: Path, body: str) -> Path:
    file = folder / "p.yaml"
    file.write_text("edge_ai_pipeline:\n" + textwrap.indent(textwrap.dedent(body), "  "), encoding="utf-8")
    return file


def read(folder: Path, body: str) -> Loaded:
    return load(write(folder, body))


def problems(folder: Path, body: str) -> list[str]:
    """`line:column: message` of each problem."""
    file = write(folder, body)
    with pytest.raises(ConfigError) as caught:
        load(file)
    assert caught.value.exit_code == ExitCode.USAGE
    lines = str(caught.value).splitlines()
    assert all(re.match(rf"{re.escape(str(file))}:\d+:\d+: \S", line) for line in lines)
    return [line.removeprefix(f"{file}:") for line in lines]


def test_the_mission_is_valid_and_means_what_it_says(tmp_path: Path) -> None:
    file = tmp_path / "p.yaml"
    file.write_text(MISSION + PACKAGING)
    pipeline = load(file).pipeline
    assert pipeline.stages[0] == "model_validation"
    assert pipeline.stages[-1] == "monitoring"
    assert pipeline.model_validation.accuracy_threshold == 0.95
    assert pipeline.model_validation.security_scan == "enabled"
    assert pipeline.optimization.frameworks == ("llama_cpp", "openvino", "microsoft_olive")
    assert pipeline.testing.load_tests == "production_scale"
    assert pipeline.packaging is not None
    assert pipeline.packaging.mobile_deployment is not None
    assert pipeline.packaging.mobile_deployment.ios is not None
    assert pipeline.packaging.mobile_deployment.ios.packaging.bundle_size == "<50MB"
    assert pipeline.packaging.edge_server is not None
    assert pipeline.packaging.edge_server.nvidia_based is not None
    assert pipeline.packaging.edge_server.nvidia_based.optimization.tensor_parallelism is True


def test_the_mission_s_threshold_is_the_accuracy_limit(tmp_path: Path) -> None:
    file = tmp_path / "p.yaml"
    file.write_text(MISSION)
    loaded = load(file)
    (found,) = (limit for limit in limits(loaded, loaded.targets[0]) if limit.name == "accuracy")
    assert found.config is not None
    assert found.config.retention == 0.95  # type: ignore[attr-defined]
    assert found.where == f"{file}:10"


def test_an_empty_section_list_is_everything_by_default(folder: Path) -> None:
    loaded = load_text(folder, "edge_ai_pipeline: {}\n")
    assert [t.name for t in loaded.targets] == ["local"]
    assert loaded.model_path() is None
    assert loaded.frameworks(loaded.targets[0]) == ["onnx_runtime"]


def load_text(folder: Path, text: str) -> Loaded:
    file = folder / "p.yaml"
    file.write_text(text, encoding="utf-8")
    return load(file)


BAD: dict[str, tuple[str, str, str]] = {
    # name: (body under edge_ai_pipeline, place, words)
    "duplicate key": ("stages: [optimization]\nstages: [optimization]", "3:3", "'stages' is already given on line 2"),
    "unknown key": ("optimisation: {}", "2:3", "unknown key 'optimisation'; did you mean 'optimization'?"),
    "unknown nested key": ("model: {path: model.onnx, tsak: regression}", "2:29", "unknown key 'tsak'; did you mean 'task'?"),
    "unknown gate": ("gates: {sped: {min: 2}}", "2:11", "unknown key 'sped'; did you mean 'speedup'?"),
    "unknown limit": ("gates: {speedup: {minn: 2}}", "2:21", "unknown key 'minn'; did you mean 'min'?"),
    "unknown stage": ("stages: [optimisation]", "2:12", "did you mean 'optimization'?"),
    "unknown framework": ("optimization: {frameworks: [openvin]}", "2:31", "did you mean 'openvino'?"),
    "unknown hardware": ("targets: [{name: a, hardware: intel-cpu}]", "2:33", "did you mean 'intel_cpu'?"),
    "unknown task": ("model: {path: model.onnx, task: regresion}", "2:35", "did you mean 'regression'?"),
    "unknown policy": ("gates: {require: bets}", "2:20", "did you mean 'best'?"),
    "misspelt disabled": ("gates: {speedup: disable}", "2:20", "did you mean 'disabled'?"),
    "technique framework": ("optimization: {techniques: {openvin: [x]}}", "2:", "did you mean 'openvino'?"),
    "sexagesimal": ("measure: {budget: 1:30}", "2:21", "'1:30'"),
    "sexagesimal limit": ("gates: {speedup: {min: 1:30}}", "2:26", "must be a number"),
    "infinite": ("gates: {speedup: {min: .inf}}", "2:26", "finite"),
    "not a number": ("gates: {accuracy: {retention: .nan}}", "2:33", "finite"),
    "overflow": ("gates: {speedup: {min: 1e999}}", "2:26", "too large"),
    "negative": ("gates: {speedup: {min: -1}}", "2:26", "must be more than 0"),
    "zero speedup": ("gates: {speedup: {min: 0}}", "2:26", "must be more than 0"),
    "zero accuracy": ("gates: {accuracy: {retention: 0}}", "2:33", "must be more than 0"),
    "zero threshold": ("model_validation: {accuracy_threshold: 0}", "2:42", "must be more than 0"),
    "percent threshold": ("model_validation: {accuracy_threshold: 95}", "2:42", "must be at most 1"),
    "zero memory": ("gates: {memory: {reduction: -10}}", "2:31", "must be more than -10"),
    "whole memory": ("gates: {memory: {reduction: 1}}", "2:31", "must be less than 1"),
    "zero stability": ("gates: {stability: {max_variation: 0}}", "2:38", "must be more than 0"),
    "zero size": ("gates: {package_size: {max: 0MB}}", "2:31", "'0MB'"),
    "negative size": ("gates: {package_size: {max: -5MB}}", "2:31", "'-5MB'"),
    "size without unit": ("gates: {package_size: {max: 50}}", "2:31", "50"),
    "zero duration": ("measure: {timeout: 0s}", "2:22", "'0s'"),
    "zero threads": ("targets: [{name: a, hardware: cpu, threads: 0}]", "2:47", "0"),
    "true is no number": ("measure: {seed: true}", "2:19", "true; it must be a whole number"),
    "fraction of a round": ("measure: {max_rounds: 2.5}", "2:25", "whole number"),
    "text is no number": ("gates: {speedup: {min: '2'}}", "2:26", "'2'; it must be a number"),
    "gate without limit": ("gates: {package_size: {on_fail: warn}}", "2:25", "needs the key 'max'"),
    "gate as number": ("gates: {accuracy: 0.95}", "2:21", "a section with keys"),
    "null gates": ("gates:", "2:9", "gates is empty"),
    "null optimization": ("optimization:", "2:16", "optimization is empty"),
    "null stages": ("stages:", "2:10", "stages is empty"),
    "null targets": ("targets: ~", "2:12", "targets is empty"),
    "null limit": ("gates: {speedup: {min: }}", "2:25", "empty; it must be a number"),
    "no stages": ("stages: []", "2:11", "at least 1"),
    "no frameworks": ("optimization: {frameworks: []}", "2:30", "there is nothing to judge"),
    "no techniques": ("optimization: {techniques: {onnx_runtime: []}}", "2:45", "at least 1"),
    "no runner": ("targets: [{name: a, hardware: cpu, runs_on: []}]", "2:47", "at least 1"),
    "empty runner": ("targets: [{name: a, hardware: cpu, runs_on: ''}]", "2:47", "at least 1"),
    "section as list": ("model: [model.onnx]", "2:10", "a list"),
    "list as text": ("stages: optimization", "2:11", "'optimization'; it must be a list"),
    "target without name": ("targets: [{hardware: cpu}]", "2:13", "needs the key 'name'"),
    "hostile target name": ("targets: [{name: '../x', hardware: cpu}]", "2:20", "'../x'"),
    "long target name": (f"targets: [{{name: {'a' * 65}, hardware: cpu}}]", "2:20", "64"),
    "capitals": ("targets: [{name: A, hardware: cpu}, {name: a, hardware: cpu}]", "2:46", "There is 'A'"),
    "slash in a target": ("targets: [{name: lab/jetson, hardware: cpu}]", "2:20", "letters from A to Z and digits, then"),
    "same target twice": ("targets: [{name: a, hardware: cpu}, {name: a, hardware: cpu}]", "2:46", "'a' is already taken"),
    "order": ("stages: [optimization, model_validation]", "2:26", "'model_validation' must come before 'optimization'"),
    "stage twice": ("stages: [optimization, optimization]", "2:26", "'optimization' is listed twice"),
    "no model": ("model: {path: none.onnx}", "2:17", "no such model"),
    "no format": ("model: {path: notes.txt}", "2:17", "unknown model format '.txt'"),
    "no model folder": ("model: {path: .}", "2:17", "a folder without config.json"),
    "empty model path": ("model: {path: ''}", "2:17", "at least 1"),
    "long model path": (f"model: {{path: {'a' * 300}.onnx}}", "2:17", "aaa"),
    "long dataset path": (f"dataset: {{path: {'a' * 300}.npz}}", "2:19", "aaa"),
    "long folder": (f"model: {{path: {'a' * 300}/m.onnx}}", "2:17", "aaa"),
    "nul in a path": ('model: {path: "a\\0b.onnx"}', "2:17", "no such model"),
    "lone surrogate": ('model: {path: "\\ud800.onnx"}', "2:17", "no such model"),
    "pointer": ("dataset: {path: pointer.npz}", "2:19", "pointer.npz is a Git LFS pointer, not the data. Fetch it with `git lfs"),
    "pointers": ("dataset: {path: eval.npz, calibration: pointer.npz}", "2:42", "pointer.npz is a Git LFS pointer, not the data"),
    "own pointer": ("optimization: {variants: [{name: a, path: pointer.npz}]}", "2:45", "is a Git LFS pointer, not the model"),
    "no dataset": ("dataset: {path: none.npz}", "2:19", "no such dataset"),
    "a slice twice": ("dataset: {path: eval.npz, slices: [site, site]}", "2:37", "'site' is named twice"),
    "slices of errors": ("dataset: {path: eval.npz, metric: mae, slices: [site]}", "2:50", "which mae does not give"),
    "no calibration": ("dataset: {path: eval.npz, calibration: none.npz}", "2:42", "no such dataset"),
    "calibration": ("dataset: {path: eval.npz, calibration: eval.npz}", "2:42", "must not be the evaluation set"),
    "calibration in disguise": ("dataset: {path: eval.npz, calibration: ./eval.npz}", "2:42", "must not be the evaluation set"),
    "neither path nor loader": ("dataset: {metric: accuracy}", "2:3", "`path` or `loader`"),
    "path and loader": ("dataset: {path: eval.npz, loader: 'a:b'}", "2:3", "`path` or `loader`"),
    "loader": ("dataset: {loader: my_module}", "2:21", "my_package.data:load"),
    "metric": ("dataset: {path: eval.npz, metric: acuracy}", "2:37", "did you mean 'accuracy'?"),
    "metric of another task": (
        "model: {path: model.onnx, task: regression}\ndataset: {path: eval.npz, metric: accuracy}", "3:37", "does not fit",
    ),
    "metric of another task of classes": (
        "model: {path: model.onnx, task: token_classification}\ndataset: {path: eval.npz, metric: macro_f1}", "3:37",
        "'macro_f1' does not fit the task token_classification. Use token_accuracy, entity_f1, token_macro_f1.",
    ),
    "labels left out of one an example": (
        "model: {path: model.onnx, task: text_classification}\ndataset: {path: eval.npz, ignore: 255}", "3:37",
        "read for multi_label_classification, semantic_segmentation, token_classification, not for text_classification",
    ),
    "names of classes nobody reads": (
        "model: {path: model.onnx, task: regression}\ndataset: {path: eval.npz, classes: [a, b]}", "3:38", "not for regression",
    ),
    "one name for two classes": (
        "dataset: {path: eval.npz, metric: dice, classes: [a, b, a]}", "2:52", "'a' is named twice",
    ),
    "tags without names": ("dataset: {path: eval.npz, metric: entity_f1}", "2:37", "name the classes in the output's order"),
    "slices of tokens": (
        "model: {path: model.onnx, task: token_classification}\ndataset: {path: eval.npz, slices: [site]}", "3:37",
        "which token_classification does not give",
    ),
    "the axis of examples": ("model: {path: model.onnx, class_axis: 0}", "2:41", "class_axis is 0"),
    "technique": ("optimization: {techniques: {onnx_runtime: [int8_dynamc]}}", "2:46", "did you mean 'int8_dynamic'?"),
    "technique twice": ("optimization: {techniques: {onnx_runtime: [fp16, fp16]}}", "2:52", "listed twice"),
    "technique of no listed framework": ("optimization: {techniques: {openvino: [fp16]}}", "2:31", "not among the frameworks"),
    "two limits": (
        "model_validation: {accuracy_threshold: 0.9}\ngates: {accuracy: {retention: 0.95}}", "3:33", "same limit",
    ),
    "limit and disabled": (
        "model_validation: {accuracy_threshold: 0.9}\ngates: {accuracy: disabled}", "3:21", "accuracy_threshold",
    ),
    "unsupported target": (
        "model: {path: model.onnx}\ntargets: [{name: a, hardware: apple_silicon}]", "3:33",
        "Remove the target, or give the model another format",
    ),
    "unsupported here, and not elsewhere": (
        "model: {path: model.onnx}\ntargets: [{name: a, hardware: edge_tpu}]", "3:33", "Add openvino to the frameworks",
    ),
    "repository": (
        "monitoring: {metrics: 'http://h/metrics', resolution: {live: x, issue: digits}}", "2:74", "Write it like acme/digits",
    ),
    "whom to tell": (
        "monitoring: {metrics: 'http://h/metrics', resolution: {live: x, webhook: ftp://x}}", "2:76", "Write it like https://",
    ),
    "address": ("packaging: {compose: {listen: here}}", "2:33", "Write it like 127.0.0.1:8000"),
    "fewer at most": ("packaging: {kubernetes: {replicas: 4, max_replicas: 2}}", "2:55", "less than replicas, 4. Raise it"),
    "fewer at most than said": ("packaging: {kubernetes: {replicas: 9}}", "2:15", "max_replicas is 8, less than replicas, 9"),
    "size of the app": ("gates: {apk_size: {max: 1MB, app_size: 3x}}", "2:42", "Write it like 20MB"),
    "nowhere to act": (
        "monitoring: {metrics: 'http://h/metrics', resolution: {}}", "2:45", "names neither `live` nor `kubernetes`",
    ),
    "override of no gate": ("targets: [{name: a, hardware: cpu, gates: {memry: {}}}]", "2:46", "did you mean 'memory'?"),
    "override of a policy": ("targets: [{name: a, hardware: cpu, gates: {require: all}}]", "2:46", "unknown key 'require'"),
    "override by a number": ("targets: [{name: a, hardware: cpu, gates: {speedup: 3}}]", "2:55", "a section with keys"),
    "override out of range": (
        "targets: [{name: a, hardware: cpu, gates: {accuracy: {retention: 2}}}]", "2:", "retention",
    ),
    "override by zero": ("targets: [{name: a, hardware: cpu, gates: {speedup: {min: 0}}}]", "2:", "min"),
    "override without limit": (
        "targets: [{name: a, hardware: cpu, gates: {package_size: {on_fail: warn}}}]", "2:", "max",
    ),
    "override misspelt": (
        "targets: [{name: a, hardware: cpu, gates: {speedup: {minn: 3}}}]", "2:", "did you mean 'min'?",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_one_problem_at_its_place(folder: Path, name: str) -> None:
    body, place, words = BAD[name]
    found = problems(folder, body)
    assert len(found) == 1, found
    assert found[0].startswith(place), found
    assert words in found[0], found


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("- a\n- b\n", "1:1", "the file is a list; it must be a section"),
        ("hello\n", "1:1", "'hello'"),
        ("---\n", "", "empty"),
        ("edge_ai_pipeline:\n", "1:18", "edge_ai_pipeline is empty"),
        ("edge_ai_pipeline: [a]\n", "1:19", "a list"),
        ("edge_ai_pipline: {}\n", "1:1", "did you mean 'edge_ai_pipeline'?"),
        ("{}\n", "1:1", "needs the key 'edge_ai_pipeline'"),
        ("edge_ai_pipeline: {}\nother: 1\n", "2:1", "unknown key 'other'"),
    ],
)
def test_a_file_of_the_wrong_shape_is_refused(folder: Path, text: str, place: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_text(folder, text)
    assert any(line.startswith(f"{folder / 'p.yaml'}:{place}") and words in line for line in str(caught.value).splitlines())


def test_all_problems_of_structure_are_listed(folder: Path) -> None:
    found = problems(
        folder,
        """\
        stges: []
        model: {path: 3, task: x}
        gates:
          speedup: {min: -1, on_fail: explode}
          memry: {}
        """,
    )
    assert [line.split(": ")[0] for line in found] == ["2:3", "3:17", "3:26", "5:20", "5:33", "6:5"]


def test_all_problems_of_meaning_are_listed(folder: Path) -> None:
    found = problems(
        folder,
        """\
        stages: [optimization, model_validation, optimization]
        model: {path: none.onnx, task: embedding}
        dataset: {path: none.npz, calibration: none.npz, metric: rmse}
        model_validation: {accuracy_threshold: 0.9}
        optimization: {techniques: {onnx_runtime: [nope], openvino: [fp16]}}
        targets: [{name: a, hardware: cpu}, {name: a, hardware: cpu}]
        gates: {accuracy: {retention: 0.8}}
        """,
    )
    lines = [int(line.split(":")[0]) for line in found]
    assert lines == sorted(lines)
    assert lines == [2, 2, 3, 4, 4, 4, 4, 6, 6, 7, 8]


def test_all_problems_of_an_override_are_listed_at_their_lines(folder: Path) -> None:
    found = problems(
        folder,
        """\
        targets:
          - name: a
            hardware: cpu
            gates:
              speedup:
                on_fail: explode
                min: -3
        """,
    )
    assert [line.split(":")[0] for line in found] == ["7", "8"]


@pytest.mark.parametrize(
    "body",
    [
        "targets: [{name: a, hardware: cpu, threads: 4.0}]",
        "measure: {seed: 1e2}",
        "measure: {seed: 99999999999999999999}",
        "measure: {seed: 1e300}",
        "measure: {max_rounds: 24.}",
        "dataset: {path: eval.npz, limit: 1e3}",
    ],
)
def test_a_whole_number_written_as_a_fraction_is_no_bug(folder: Path, body: str) -> None:
    """Refused or taken as the whole number it is: either will do."""
    file = write(folder, body)
    try:
        load(file)
    except ConfigError as error:
        assert "whole number" in str(error)


def test_a_metric_of_one_s_own_is_accepted(folder: Path) -> None:
    (folder / "my").mkdir()
    (folder / "my/module.py").write_text("def score(outputs, labels): return 1.0")
    assert read(folder, "dataset: {path: eval.npz, metric: 'my.module:score'}").pipeline.dataset is not None


@pytest.mark.parametrize(
    ("task", "metric"),
    [
        ("regression", "r2"),
        ("embedding", "cosine_similarity"),
        ("image_classification", "top5_accuracy"),
    ],
)
def test_a_metric_that_fits_the_task_is_accepted(folder: Path, task: str, metric: str) -> None:
    read(folder, f"model: {{path: model.onnx, task: {task}}}\ndataset: {{path: eval.npz, metric: {metric}}}")


@pytest.mark.parametrize("metric", ["mae", "accuracy", "my.module:score"])
def test_a_text_model_is_judged_by_perplexity_or_exact_match(folder: Path, metric: str) -> None:
    (folder / "model.gguf").write_bytes(b"GGUF")
    text = "model: {path: model.gguf}\ndataset: {path: eval.npz, metric: METRIC}"
    for fits in ("perplexity", "exact_match", "contains", "acc", "acc_norm"):
        read(folder, text.replace("METRIC", fits))
    with pytest.raises(ConfigError, match=r"does not fit text_generation. Use perplexity, acc, acc_norm, contains, exact_match"):
        read(folder, text.replace("METRIC", metric))


@pytest.mark.parametrize(("name", "task"), [("model.onnx", "text_generation"), ("model.gguf", "image_classification")])
def test_a_task_fits_the_models_format(folder: Path, name: str, task: str) -> None:
    (folder / name).write_bytes(b"")
    with pytest.raises(ConfigError, match=f"{task} takes a .*Correct the task or the model"):
        read(folder, f"model: {{path: {name}, task: {task}}}")


@pytest.mark.parametrize("names", ["[int8_static, ol/Int8_Static.json]", "[ol/good.json, ol/sub/good.json]"])
def test_a_configuration_file_is_not_called_like_another_technique(folder: Path, names: str) -> None:
    """Their variants would have one id, and one artifact would overwrite the other."""
    for file in ("ol/Int8_Static.json", "ol/good.json", "ol/sub/good.json"):
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text("{}")
    text = "optimization: {frameworks: [microsoft_olive], techniques: {microsoft_olive: NAMES}}"
    read(folder, text.replace("NAMES", "[ol/good.json]"))
    with pytest.raises(ConfigError, match=r"as another technique is\. Rename the file"):
        read(folder, text.replace("NAMES", names))


def test_a_framework_known_by_name_may_have_techniques(folder: Path) -> None:
    loaded = read(folder, "optimization: {frameworks: [llama_cpp], techniques: {llama_cpp: [q4_k_m]}}")
    assert loaded.pipeline.optimization.techniques.by_framework() == {"llama_cpp": ["q4_k_m"]}


def test_a_framework_of_a_target_may_have_techniques(folder: Path) -> None:
    read(
        folder,
        """\
        targets: [{name: a, hardware: cpu, frameworks: [openvino]}]
        optimization: {techniques: {openvino: [int8_static]}}
        """,
    )


def test_a_model_on_the_command_line_stands_in_for_a_missing_one(folder: Path) -> None:
    loaded = load(write(folder, "model: {path: none.onnx}"), folder / "model.onnx")
    assert loaded.model_path() == folder / "model.onnx"


@pytest.mark.parametrize("name", ["none.onnx", "notes.txt", "a" * 300 + ".onnx"])
def test_a_bad_model_on_the_command_line_is_refused(folder: Path, name: str) -> None:
    with pytest.raises(UsageError, match=name):
        load(write(folder, "model: {path: model.onnx}"), folder / name)


def test_paths_are_relative_to_the_file(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = write(folder, "model: {path: model.onnx}\ndataset: {path: eval.npz}")
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    assert load(file).model_path() == folder / "model.onnx"


def test_a_model_that_a_script_makes_is_hinted_at(folder: Path) -> None:
    (folder / "make_model.py").write_text("")
    assert "make_model.py" in problems(folder, "model: {path: none.onnx}")[0]


def test_frameworks_are_without_repeats_and_the_target_s_win(folder: Path) -> None:
    loaded = read(
        folder,
        """\
        optimization: {frameworks: [onnx_runtime, openvino, onnx_runtime]}
        targets: [{name: a, hardware: cpu}, {name: b, hardware: cpu, frameworks: [openvino, openvino]}]
        """,
    )
    assert [loaded.frameworks(t) for t in loaded.targets] == [["onnx_runtime", "openvino"], ["openvino"]]


# --- limits ---------------------------------------------------------------------------------------------------------


def limit_of(loaded: Loaded, name: str, target: int = 0) -> tuple[Any, int]:
    """The config of a gate on a target, and the line it is from."""
    (found,) = (limit for limit in limits(loaded, loaded.targets[target]) if limit.name == name)
    file, _, line = found.where.rpartition(":")
    assert file == str(loaded.path)
    return found.config, int(line)


LAYERS = """\
model_validation:
  accuracy_threshold: 0.9
gates:
  speedup:
    on_fail: warn
    min: 3
  memory: disabled
  accuracy: {on_fail: warn}
targets:
  - name: own
    hardware: cpu
    gates:
      accuracy:
        on_fail: fail
        retention: 0.8
      speedup: {min: 4}
      memory: {reduction: 0.25}
      package_size: {max: 5MB}
  - name: off
    hardware: cpu
    gates:
      accuracy: disabled
      speedup:
        on_fail: fail
  - name: plain
    hardware: cpu
"""


@pytest.mark.parametrize(
    ("target", "name", "expected", "line"),
    [
        (0, "accuracy", {"retention": 0.8, "on_fail": "fail"}, 16),
        (0, "speedup", {"min": 4, "on_fail": "warn"}, 17),
        (0, "memory", {"reduction": 0.25, "on_fail": "fail"}, 18),
        (0, "package_size", {"max": "5MB", "on_fail": "fail"}, 19),
        (1, "accuracy", None, 23),
        (1, "speedup", {"min": 3, "on_fail": "fail"}, 7),
        (1, "memory", None, 8),
        (2, "accuracy", {"retention": 0.9, "on_fail": "warn"}, 3),
        (2, "speedup", {"min": 3, "on_fail": "warn"}, 7),
        (2, "memory", None, 8),
        (2, "stability", {"max_variation": 0.2, "on_fail": "fail"}, 4),
    ],
)
def test_the_nearest_limit_wins_and_says_where_it_is_from(
    folder: Path, target: int, name: str, expected: dict[str, Any] | None, line: int
) -> None:
    config, where = limit_of(read(folder, LAYERS), name, target)
    assert (config and {key: getattr(config, key) for key in expected or {}}) == expected
    assert where == line


def test_the_size_gate_applies_only_where_it_is_mentioned(folder: Path) -> None:
    loaded = read(folder, LAYERS)
    names = [[limit.name for limit in limits(loaded, target)] for target in loaded.targets]
    assert ["package_size" in found for found in names] == [True, False, False]


def test_without_a_word_every_gate_has_its_default(folder: Path) -> None:
    loaded = read(folder, "model: {path: model.onnx}\ndataset: {path: eval.npz}")
    found = {limit.name: limit.config for limit in limits(loaded, loaded.targets[0])}
    own = [name for name in gate_names() if not measured_by(name)]  # those of the testing stage: test_config_testing.py
    assert found == {name: gate(name).DEFAULT for name in own if gate(name).DEFAULT is not None}


def test_without_an_evaluation_set_there_is_nothing_to_compare(folder: Path) -> None:
    loaded = read(folder, "model: {path: model.onnx}")
    assert not {"outputs", "worst_class"} & {limit.name for limit in limits(loaded, loaded.targets[0])}
    [said] = problems(folder, "model: {path: model.onnx}\ngates: {outputs: {retention: 0.9}}")
    assert "outputs compares outputs on an evaluation set" in said and "dataset.path" in said


def test_a_null_gate_is_its_default(folder: Path) -> None:
    assert limit_of(read(folder, "gates: {speedup: }"), "speedup")[0] == gate("speedup").DEFAULT


def test_a_null_override_says_nothing(folder: Path) -> None:
    body = "gates: {speedup: {min: 3}}\ntargets: [{name: a, hardware: cpu, gates: {speedup: }}]"
    config, line = limit_of(read(folder, body), "speedup")
    assert (config.min, line) == (3, 2)


def test_the_same_limit_twice_is_no_contradiction(folder: Path) -> None:
    loaded = read(folder, "model_validation: {accuracy_threshold: 0.9}\ngates:\n  accuracy: {retention: 0.90}")
    config, line = limit_of(loaded, "accuracy")
    assert config.retention == 0.9
    assert line == 4


# --- anything at all ------------------------------------------------------------------------------------------------


def leaves(schema: dict[str, Any], definitions: dict[str, Any], path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """The path of every setting the schema knows."""
    if "$ref" in schema:
        return leaves(definitions[schema["$ref"].rpartition("/")[2]], definitions, path)
    if "anyOf" in schema:
        return sorted({p for branch in schema["anyOf"] for p in leaves(branch, definitions, path)}, key=str)
    if "properties" in schema:
        return [p for key, value in schema["properties"].items() for p in leaves(value, definitions, (*path, key))] + [path]
    if schema.get("type") == "array":
        return [*leaves(schema["items"], definitions, (*path, 0)), path]
    return [path]


SCHEMA = pipeline_schema()
LEAVES = leaves(SCHEMA, SCHEMA["$defs"])
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.integers(0, 5).map(float)
    | st.text(max_size=5)
    | st.sampled_from(
        ["cpu", "onnx_runtime", "int8_dynamic", "disabled", "model.onnx", "a", "optimization", "50MB", "10m", "a:b"]
    )
)
VALUES = (
    SCALARS
    | st.lists(SCALARS, max_size=3)
    | st.dictionaries(st.text(max_size=3) | st.sampled_from(gate_names()), SCALARS, max_size=2)
)


def put(document: Any, path: tuple[str | int, ...], value: Any) -> Any:
    """`document` with `value` at a path; lists have one element, and targets what they need."""
    if not path:
        return value
    if isinstance(path[0], int):
        return [
            put(document[0] if isinstance(document, list) and document else {"name": "a", "hardware": "cpu"}, path[1:], value)
        ]
    known = document if isinstance(document, dict) else {}
    return {**known, path[0]: put(known.get(path[0]), path[1:], value)}


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file to write over and over."""
    return tmp_path_factory.mktemp("scratch") / "p.yaml"


def only_usage_errors(file: Path, document: Any) -> None:
    file.write_text(yaml.safe_dump(document, allow_unicode=False), encoding="utf-8")
    try:
        loaded = load(file)
    except UsageError as error:
        assert str(error).startswith(f"{file}:")
    else:
        for target in loaded.targets:
            limits(loaded, target)


def test_the_settings_are_found() -> None:
    assert ("edge_ai_pipeline", "gates", "speedup", "min") in LEAVES
    assert ("edge_ai_pipeline", "targets", 0, "threads") in LEAVES
    assert Document.__struct_fields__ == ("edge_ai_pipeline",)


def any_value_of_any_setting(scratch: Path, data: st.DataObject) -> None:
    document: Any = {}
    for path, value in data.draw(st.lists(st.tuples(st.sampled_from(LEAVES), VALUES), min_size=1, max_size=3)):
        document = put(document, path, value)
    only_usage_errors(scratch, document)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(data=st.data())
def test_any_value_of_any_setting_raises_only_usage_errors(scratch: Path, data: st.DataObject) -> None:
    any_value_of_any_setting(scratch, data)


@pytest.mark.thorough
@settings(max_examples=500, deadline=None)
@given(data=st.data())
def test_any_value_of_any_setting_raises_only_usage_errors_for_long(scratch: Path, data: st.DataObject) -> None:
    any_value_of_any_setting(scratch, data)


ANYTHING = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["edge_ai_pipeline", "gates", "stages", "model", "path", "x"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(document=ANYTHING)
def test_any_small_document_raises_only_usage_errors(scratch: Path, document: Any) -> None:
    only_usage_errors(scratch, document)


@pytest.mark.parametrize(("metric", "fits"), [("perplexity", False), ("acc", False), ("exact_match", True), ("contains", True)])
def test_several_generations_are_for_answers_that_are_written(folder: Path, metric: str, fits: bool) -> None:
    (folder / "model.gguf").write_bytes(b"GGUF")
    text = f"model: {{path: model.gguf}}\ndataset: {{path: eval.npz, metric: {metric}, generations: 4}}"
    if fits:
        read(folder, text)
        return
    with pytest.raises(ConfigError, match=f"{metric} reads likelihoods and draws no answers"):
        read(folder, text)
