"""Olive's workflows, gatekeeper's own and the user's, on small real models: what they make is what Olive makes, and flat."""

from __future__ import annotations

import contextlib
import gc
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from kit.families import representative
from kit.tensor_models import EXAMPLES, MODELS, Model, distance, mlp, save
from kit.tiny_llm import write_llama
from onnx import numpy_helper

from gatekeeper.errors import NotMeasured
from gatekeeper.frameworks import _transformers
from gatekeeper.frameworks._base import ORIGINAL, OptimizeJob, converts, is_config, needs
from gatekeeper.frameworks._genai import silent
from gatekeeper.frameworks.microsoft_olive import TECHNIQUES, defaults, open_session, optimize, refuses, supports
from gatekeeper.making.job import Optimize
from gatekeeper.models.files import assess
from gatekeeper.models.formats.onnx import inspect
from gatekeeper.process.isolate import Worker
from gatekeeper.process.messages import Done

pytestmark = pytest.mark.filterwarnings("ignore:Implicitly cleaning up:ResourceWarning")


@pytest.fixture(scope="module", autouse=True)
def _collected() -> Iterator[None]:
    """Olive leaves temporary folders to the garbage collector, and what it finds later counts as of other tests."""
    yield
    gc.collect()


CLOSE = {
    "int8_dynamic": 0.1,
    "int8_static": 0.1,
    "int4_weight_only": 0.3,
    "k_quant": 0.3,
    "transformer_optimized": 1e-5,
    "fp16": 0.01,
}
TEXT = ("int8_dynamic", "int4_weight_only", "k_quant")
PASS: dict[str, dict[str, Any]] = {
    "int8_dynamic": {"type": "OnnxDynamicQuantization"},
    "int4_weight_only": {"type": "OnnxBlockWiseRtnQuantization", "block_size": 32, "accuracy_level": 4},
    "k_quant": {"type": "OnnxKQuantQuantization", "block_size": 32, "accuracy_level": 4},
    "transformer_optimized": {"type": "OrtTransformersOptimization", "model_type": "bert"},
    "fp16": {"type": "OnnxFloatToFloat16", "keep_io_types": True},
}


def make(path: Path, technique: str, calibration: Path | None = None, **settings: Any) -> Path:
    """The folder of the artifact."""
    destination = path.parent / Path(technique).stem
    destination.mkdir()
    optimize(OptimizeJob(path, destination, technique, "cpu", **({"vnni": False, "calibration": calibration} | settings)))
    return destination


def answer(path: Path, model: Model) -> Any:
    session = open_session(path, 1, "cpu")
    (found,) = session.run({session.inputs[0]: model.examples})
    return found


def by_olive(path: Path, passes: dict[str, Any], folder: Path) -> Path:
    """What Olive makes when it is called as its users call it."""
    folder.mkdir()
    with silent(), contextlib.chdir(folder):
        from olive.workflows import run

        run({"input_model": {"type": "OnnxModel", "model_path": str(path)}, "passes": passes, "output_dir": str(folder)})
    return folder / "model.onnx"


# --- its own techniques


def test_every_technique_has_a_tolerance_here_or_is_broken() -> None:
    assert set(CLOSE) == set(TECHNIQUES) - {"hqq"}


@pytest.mark.parametrize("technique", CLOSE)
@pytest.mark.parametrize("name", representative(sorted(MODELS.keys() - {"gru", "conv_transpose", "opset 12", "opset 22"})))
def test_what_is_refused_would_change_nothing_and_the_rest_works(tmp_path: Path, name: str, technique: str) -> None:
    model = MODELS[name]()
    path, calibration = save(model, tmp_path)
    assessment = inspect(path)
    if refuses(technique, assessment, calibrated=True) is None:
        if (name, technique) in NOTHING_TO_DO:
            with pytest.raises(NotMeasured, match="it changed nothing") as caught:
                make(path, technique, calibration)
            assert caught.value.kind == "unsupported"
            return
        artifact = make(path, technique, calibration)
        assert distance(answer(artifact, model), answer(path, model)) < max(CLOSE[technique], 0.2)
        assert open_session(artifact, 1, "cpu").outputs == open_session(path, 1, "cpu").outputs
        assert inspect(artifact / "model.onnx").quantized == (technique not in ("fp16", "transformer_optimized"))
        return
    if (name, technique) in REFUSED_ON_PURPOSE:
        return
    with pytest.raises(NotMeasured):
        answer(make(path, technique, calibration), model)


# The file says what they are made of, and not whether a pass knows the pattern.
NOTHING_TO_DO = {
    ("attention", "transformer_optimized"),
    ("batched_weight", "int4_weight_only"),
    ("batched_weight", "k_quant"),
}
# Nothing in these is a matrix or a kernel, or in 32 bits.
REFUSED_ON_PURPOSE = {
    ("shape_arithmetic", "int8_static"),
    ("vector_weight", "int8_dynamic"),
    ("vector_weight", "int8_static"),
    ("half", "fp16"),
}


@pytest.mark.parametrize("technique", PASS)
def test_the_numbers_are_those_of_olive_itself(tmp_path: Path, technique: str) -> None:
    model = MODELS["encoder" if technique == "transformer_optimized" else "mlp"]()
    path, _ = save(model, tmp_path)
    expected = answer(by_olive(path, {"own": PASS[technique]}, tmp_path / "olive"), model)
    assert np.array_equal(answer(make(path, technique), model), expected)


def test_hqq_is_refused_as_long_as_it_answers_at_random(tmp_path: Path) -> None:
    model = mlp()
    path, _ = save(model, tmp_path)
    assert "pull/2589" in (refuses("hqq", inspect(path), calibrated=True) or "")
    assert distance(answer(make(path, "hqq"), model), answer(path, model)) > 1


def test_fusion_makes_operators_of_onnx_runtime(tmp_path: Path) -> None:
    path, _ = save(MODELS["encoder"](), tmp_path)
    made = inspect(make(path, "transformer_optimized") / "model.onnx")
    assert made.operators["com.microsoft::SkipLayerNormalization"] == 1


@pytest.mark.parametrize(("vnni", "largest"), [(True, 127), (False, 64)])
def test_without_vnni_weights_have_7_bits(tmp_path: Path, vnni: bool, largest: int) -> None:
    path, calibration = save(mlp(), tmp_path)
    made = onnx.load(str(make(path, "int8_static", calibration, vnni=vnni) / "model.onnx"))
    weights = [
        numpy_helper.to_array(i) for i in made.graph.initializer if i.data_type == onnx.TensorProto.INT8 and len(i.dims) == 2
    ]
    assert max(int(np.abs(w.astype(int)).max()) for w in weights) == largest


@pytest.mark.parametrize("batch", [3, EXAMPLES])
def test_static_quantization_calibrates_in_the_models_own_batch(tmp_path: Path, batch: int) -> None:
    model = mlp()
    model.proto.graph.input[0].type.tensor_type.shape.dim[0].dim_value = batch
    path, calibration = save(model, tmp_path)
    model.examples = model.examples[:batch]
    assert distance(answer(make(path, "int8_static", calibration), model), answer(path, model)) < CLOSE["int8_static"]


def test_static_quantization_uses_the_calibration_set(tmp_path: Path) -> None:
    narrow, wide = mlp(), mlp()
    wide.examples = wide.examples * 50
    found = []
    for name, model in (("narrow", narrow), ("wide", wide)):
        (tmp_path / name).mkdir()
        path, calibration = save(model, tmp_path / name)
        found.append(distance(answer(make(path, "int8_static", calibration), narrow), answer(path, narrow)))
    assert found[1] > 5 * found[0]


def test_static_quantization_without_calibration_is_refused(tmp_path: Path) -> None:
    path, _ = save(mlp(), tmp_path)
    assert "dataset.calibration" in (refuses("int8_static", inspect(path), calibrated=False) or "")
    with pytest.raises(NotMeasured, match=r"dataset\.calibration") as caught:
        make(path, "int8_static")
    assert caught.value.kind == "data"


def test_artifacts_are_one_file_and_the_same_every_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = mlp()
    path, calibration = save(model, tmp_path)
    (tmp_path / "int8").mkdir()  # a word of the workflow: Olive takes what lies where it runs for a path
    monkeypatch.chdir(tmp_path)
    for technique in set(CLOSE) - {"transformer_optimized"}:
        folder = make(path, technique, calibration)
        assert [file.name for file in folder.iterdir()] == ["model.onnx"]
        first = (folder / "model.onnx").read_bytes()
        folder.rename(tmp_path / f"{technique}-first")
        assert (make(path, technique, calibration) / "model.onnx").read_bytes() == first


def test_a_model_with_external_weights_is_optimized(tmp_path: Path) -> None:
    model = mlp()
    path, calibration = save(model, tmp_path)
    original = answer(path, model)
    onnx.save(model.proto, str(path), save_as_external_data=True, location="original.onnx.data", size_threshold=0)
    for technique in set(CLOSE) - {"transformer_optimized"}:
        artifact = make(path, technique, calibration)
        assert distance(answer(artifact, model), original) < CLOSE[technique]


def test_large_models_keep_their_weights_in_a_second_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from olive.passes.onnx import common

    monkeypatch.setattr(common, "_LARGE_IR_MODEL_THRESHOLD", 0)
    model = mlp()
    path, _ = save(model, tmp_path)
    folder = make(path, "int4_weight_only")
    assert sorted(file.name for file in folder.iterdir()) == ["model.onnx", "original.onnx.data"]
    assert distance(answer(folder, model), answer(path, model)) < CLOSE["int4_weight_only"]
    assert open_session(folder, 1, "cpu").outputs == ("y",)


def test_a_quantized_model_is_not_quantized_again(tmp_path: Path) -> None:
    path, calibration = save(mlp(), tmp_path)
    quantized = make(path, "int8_dynamic", calibration) / "model.onnx"
    for technique in set(CLOSE) - {"transformer_optimized"}:
        assert "already quantized" in (refuses(technique, inspect(quantized), calibrated=True) or "")


def test_what_it_takes_and_needs() -> None:
    assert supports("onnx", "cpu") is None
    assert supports("huggingface", "cuda") is None
    assert "gguf" in (supports("gguf", "cpu") or "")
    assert supports("onnx", "npu")
    for model_format in ("onnx", "huggingface"):
        for device in ("cpu", "cuda"):
            assert defaults(model_format, device)
            assert set(defaults(model_format, device)) <= set(CLOSE)
    assert converts("microsoft_olive", "huggingface")
    assert not converts("microsoft_olive", "onnx")
    assert is_config("microsoft_olive", "own/olive.json")
    assert "onnxruntime-genai" in needs("microsoft_olive", "huggingface").packages


def test_a_worker_makes_it_and_reports_to_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Olive, too, would leave an identity in the home folder, and send it."""
    path, _ = save(mlp(), tmp_path)
    home, made = tmp_path / "home", tmp_path / "made"
    home.mkdir()
    made.mkdir()
    monkeypatch.setenv("HOME", str(home))
    job = Optimize(
        framework="microsoft_olive",
        technique="int8_dynamic",
        source=str(path),
        destination=str(made),
        device="cpu",
        vnni=False,
        calibration=None,
    )
    with Worker(tmp_path, 4 << 30) as worker:
        worker.ask(job, Done, 120.0)
    assert [file.name for file in made.iterdir()] == ["model.onnx"]
    assert [file for file in home.rglob("*") if file.is_file()] == []


# --- language models


PROMPT = np.random.default_rng(0).integers(1, 500, 40)


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A language model in a Hugging Face folder, and in ours."""
    root = tmp_path_factory.mktemp("llama")
    source = write_llama(root / "source", intermediate_size=768, vocab_size=640)
    original = root / ORIGINAL
    original.mkdir()
    optimize(OptimizeJob(source, original, ORIGINAL, "cpu", vnni=False, calibration=None))
    return source, original


def log_probabilities(session: Any) -> Any:
    logits = session.run({"tokens": PROMPT[None]})[0][0]
    shifted = logits - logits.max(-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))


def test_the_original_answers_as_transformers_does(llama: tuple[Path, Path]) -> None:
    source, original = llama
    expected = log_probabilities(_transformers.open_session(source, 1, "cpu"))
    assert np.abs(log_probabilities(open_session(original, 1, "cpu")) - expected).max() < 1e-3


@pytest.mark.parametrize("technique", TEXT)
def test_a_quantized_language_model_is_smaller_and_stays_close(llama: tuple[Path, Path], tmp_path: Path, technique: str) -> None:
    source, original = llama
    assert refuses(technique, assess(source), calibrated=False) is None
    made = tmp_path / "made"
    made.mkdir()
    optimize(OptimizeJob(source, made, technique, "cpu", vnni=False, calibration=None, original=original))
    assert {file.name for file in made.iterdir()} == {
        "model.onnx", "genai_config.json", "tokenizer.json", "tokenizer_config.json"
    }  # fmt: skip
    assert inspect(made / "model.onnx").quantized
    assert (made / "model.onnx").stat().st_size < 0.4 * (original / "model.onnx.data").stat().st_size
    session: Any = open_session(made, 1, "cpu")
    found, expected = log_probabilities(session), log_probabilities(open_session(original, 1, "cpu"))
    assert 1e-6 < (np.exp(expected) * (expected - found)).sum(-1).mean() < 0.01
    assert len(list(session.generate({"tokens": PROMPT, "new_tokens": 5}))) == 5


def test_other_techniques_are_refused_for_language_models(llama: tuple[Path, Path]) -> None:
    model = assess(llama[0])
    assert {t for t in TECHNIQUES if refuses(t, model, calibrated=True) is None} == set(TEXT)


def test_a_users_workflow_starts_from_the_original(llama: tuple[Path, Path], tmp_path: Path) -> None:
    source, original = llama
    config, made = tmp_path / "own.json", tmp_path / "made"
    made.mkdir()
    workflow = {"input_model": {"type": "HfModel", "model_path": "x"}, "passes": {"q": PASS["k_quant"] | {"bits": 8}}}
    config.write_text(json.dumps(workflow))
    optimize(OptimizeJob(source, made, "own", "cpu", vnni=False, calibration=None, original=original, config=config))
    found = log_probabilities(open_session(made, 1, "cpu"))
    assert np.abs(found - log_probabilities(open_session(original, 1, "cpu"))).max() < 0.1
    assert inspect(made / "model.onnx").quantized


# --- the user's own workflows


Own = Callable[..., Path]


@pytest.fixture
def own(tmp_path: Path) -> Own:
    """`own(workflow)`: the artifact of a user's file; it must be all that is written."""
    path, calibration = save(mlp(), tmp_path)

    def run(workflow: Any, trusted: bool = False, calibrated: bool = True) -> Path:
        config = tmp_path / "own.json"
        config.write_text(workflow if isinstance(workflow, str) else json.dumps(workflow))
        return make(path, "own", calibration if calibrated else None, config=config, trusted=trusted)

    return run


def test_a_users_workflow_makes_what_olive_makes(own: Own, tmp_path: Path) -> None:
    workflow = {"passes": {"a": {"type": "OnnxPeepholeOptimizer"}, "b": PASS["k_quant"] | {"bits": 8}}}
    made = own(workflow)
    expected = by_olive(tmp_path / "original.onnx", workflow["passes"], tmp_path / "olive")
    assert np.array_equal(answer(made, mlp()), answer(expected, mlp()))
    assert [file.name for file in made.iterdir()] == ["model.onnx"]


def test_everything_but_the_passes_is_gatekeepers(own: Own, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No other model, no evaluation (whose script would fail), no goals, no file anywhere else."""
    (tmp_path / "cwd").mkdir()
    monkeypatch.chdir(tmp_path / "cwd")
    metric = {
        "name": "latency",
        "type": "custom",
        "user_config": {"user_script": "not-there.py", "evaluate_func": "f"},
        "sub_types": [{"name": "x", "priority": 1, "goal": {"type": "threshold", "value": 0}}],
    }
    made = own(
        {
            "input_model": {"type": "PyTorchModel", "model_script": "not-there.py", "model_loader": "load"},
            "systems": {"here": {"type": "LocalSystem", "accelerators": [{"device": "cpu"}]}},
            "evaluators": {"e": {"metrics": [metric]}},
            "passes": {
                "q": [{"type": "OnnxBlockWiseRtnQuantization", "evaluator": "e", "host": "here",
                       "config": {"block_size": 64, "save_as_external_data": True, "external_data_name": "../../away"}}]
            },
            "engine": {
                "evaluator": "e", "host": "here", "target": "here", "search_strategy": False, "evaluate_input_model": True,
                "output_dir": str(tmp_path / "away"), "cache_dir": str(tmp_path / "away"), "log_to_file": True,
                "packaging_config": {"type": "Zipfile", "name": "away"},
            },
        }
    )  # fmt: skip
    assert {file.name for file in tmp_path.iterdir()} == {"original.onnx", "calibration", "own.json", "own", "cwd"}
    assert not list((tmp_path / "cwd").iterdir())
    assert [file.name for file in made.iterdir()] == ["model.onnx"]
    assert "com.microsoft::MatMulNBits" in inspect(made / "model.onnx").operators


def test_the_calibration_set_is_there_by_name(own: Own) -> None:
    made = own({"passes": {"q": {"type": "OnnxStaticQuantization", "data_config": "calibration"}}})
    assert "DequantizeLinear" in inspect(made / "model.onnx").operators
    assert distance(answer(made, mlp()), np.asarray(answer(made.parent / "original.onnx", mlp()))) < 0.1


def test_a_calibration_set_that_is_not_there_is_said(own: Own) -> None:
    with pytest.raises(NotMeasured, match=r"`passes\.q\.data_config` is calibration.*dataset\.calibration"):
        own({"passes": {"q": {"type": "OnnxStaticQuantization", "data_config": "calibration"}}}, calibrated=False)


BROKEN: dict[str, tuple[Any, str]] = {
    "no JSON": ("{", "own.json: no JSON: .*line 1"),
    "a list": ([], "holds no workflow of Olive, but a list"),
    "empty": ({}, "has no `passes`"),
    "no passes": ({"passes": {}}, "has no `passes`"),
    "passes of text": ({"passes": "OnnxQuantization"}, "has no `passes`"),
    "no type": ({"passes": {"q": {"block_size": 32}}}, r"passes\.q has no `type`"),
    "a wrong value": (
        {"passes": {"q": {"type": "OnnxBlockWiseRtnQuantization", "block_size": "big"}}},
        "Olive does not take this workflow: block_size: Input should be a valid integer",
    ),
    "searchable": (
        {"passes": {"q": {"type": "OnnxDynamicQuantization", "per_channel": "SEARCHABLE_VALUES"}}},
        "cannot disable search for onnxdynamicquantization",
    ),
    "data that is not there": (
        {"passes": {"q": {"type": "OnnxStaticQuantization", "data_config": "mine"}}},
        r"`passes\.q\.data_config` is mine, which is not among",
    ),
    "bad data configs": ({"passes": {"q": PASS["k_quant"]}, "data_configs": "mine"}, "no list of data configs"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_workflow_says_what_is_wrong(own: Own, case: str) -> None:
    workflow, message = BROKEN[case]
    with pytest.raises(NotMeasured, match=message) as caught:
        own(workflow)
    assert caught.value.kind in ("data", "unsupported")
    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith(".")


IMPOSSIBLE: dict[str, tuple[dict[str, Any], str]] = {
    "an unknown pass": ({"passes": {"q": {"type": "OnnxNothing"}}}, "Olive cannot run this workflow: .*onnxnothing"),
    "a pass that fails": (
        {"passes": {"q": {"type": "OnnxKQuantQuantization", "bits": 5}}},
        "Olive cannot run this workflow: MatMulNBits does not support",
    ),
    "a pass that the device cannot have": (
        {"passes": {"q": PASS["transformer_optimized"] | {"float16": True}}},
        "Olive cannot run this workflow: CPUExecutionProvider does not support float16",
    ),
    "a pass that changes nothing": (
        {"passes": {"q": {"type": "OnnxBlockWiseRtnQuantization", "nodes_to_include": ["nothing"]}}},
        "it changed nothing",
    ),
    "another kind of model": ({"passes": {"q": {"type": "OpenVINOConversion"}}}, "ends in an openvinomodel"),
    "search": ({"search_strategy": True, "passes": {"q": PASS["k_quant"]}}, "`search_strategy` lets Olive choose"),
    "alternatives": ({"passes": {"q": [PASS["k_quant"], PASS["fp16"]]}}, "lists 2 passes to choose from"),
    "docker": (
        {"systems": {"d": {"type": "Docker"}}, "passes": {"q": PASS["k_quant"]}},
        "a system is a Docker",
    ),
    "another Python": (
        {
            "engine": {"host": {"type": "PythonEnvironment", "python_environment_path": "/usr/bin"}},
            "passes": {"q": PASS["k_quant"]},
        },
        "a system is a PythonEnvironment",
    ),
    "another Python for a pass": (
        {"passes": {"q": PASS["k_quant"] | {"host": {"type": "PythonEnvironment", "python_environment_path": "/usr/bin"}}}},
        "a system is a PythonEnvironment",
    ),
    "azure": ({"azureml_client": {"subscription_id": "x"}, "passes": {"q": PASS["k_quant"]}}, "`azureml_client` leads elsewhere"),
}


@pytest.mark.parametrize("case", IMPOSSIBLE)
def test_what_cannot_be_run_here_is_refused_even_with_trust(own: Own, case: str) -> None:
    workflow, message = IMPOSSIBLE[case]
    with pytest.raises(NotMeasured, match=message) as caught:
        own(workflow, trusted=True)
    assert caught.value.kind == "unsupported"


SCRIPT = """
from pathlib import Path
import numpy as np
from olive.data.registry import Registry

Path(__file__).with_name("ran").touch()

@Registry.register_dataset()
def users_dataset(**settings):
    return [({"x": np.ones((1, 64), np.float32)}, 0)] * 4
"""
STATIC = {"passes": {"q": {"type": "OnnxStaticQuantization", "data_config": "mine"}}}
LOADER = {"type": "no_auto_batch_dataloader"}
UNTRUSTED: dict[str, tuple[dict[str, Any], str]] = {
    "a script": (
        STATIC
        | {
            "data_configs": [
                {
                    "name": "mine",
                    "user_script": "script.py",
                    "load_dataset_config": {"type": "users_dataset"},
                    "dataloader_config": LOADER,
                }
            ]
        },
        r"`data_configs\.0\.user_script` runs code",
    ),
    "a folder of scripts": (STATIC | {"data_configs": [{"name": "mine", "script_dir": "."}]}, "script_dir` runs code"),
    "a dataset of the hub": (
        STATIC | {"data_configs": [{"name": "mine", "type": "HuggingfaceContainer"}]},
        "is HuggingfaceContainer, which needs trust",
    ),
    "a dataset of the hub in a plain container": (
        STATIC | {"data_configs": [{"name": "mine", "load_dataset_config": {"type": "huggingface_dataset", "data_name": "x"}}]},
        "is huggingface_dataset, which needs trust",
    ),
    "trust in remote code": (
        {"passes": {"q": PASS["k_quant"] | {"config": {"extra_options": {"trust_remote_code": True}}}}},
        "trust_remote_code` runs code",
    ),
    "a pass that runs programs": ({"passes": {"q": {"type": "QNNConversion"}}}, r"`passes\.q\.type` is QNNConversion"),
    "a pass on a Hugging Face folder": ({"passes": {"q": {"type": "ModelBuilder"}}}, r"`passes\.q\.type` is ModelBuilder"),
}


@pytest.mark.parametrize("case", UNTRUSTED)
def test_scripts_and_downloads_need_trust(own: Own, tmp_path: Path, case: str) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)
    workflow, message = UNTRUSTED[case]
    with pytest.raises(NotMeasured, match=message) as caught:
        own(workflow)
    assert caught.value.kind == "unsupported"
    assert "optimization.trust_scripts" in str(caught.value)
    assert not (tmp_path / "ran").exists()


def test_with_trust_a_script_beside_the_file_runs(own: Own, tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)
    made = own(UNTRUSTED["a script"][0], trusted=True)
    assert (tmp_path / "ran").exists()
    assert "DequantizeLinear" in inspect(made / "model.onnx").operators


def test_a_folder_of_raw_data_needs_no_trust(own: Own, tmp_path: Path) -> None:
    (tmp_path / "raw/x").mkdir(parents=True)
    for i in range(4):
        mlp().examples[i : i + 1].tofile(tmp_path / f"raw/x/{i}.bin")
    params = {"data_dir": "raw", "input_names": ["x"], "input_shapes": [[1, 64]]}
    data = {"name": "mine", "type": "RawDataContainer", "load_dataset_config": {"params": params}}
    made = own(STATIC | {"data_configs": [data]})
    assert "DequantizeLinear" in inspect(made / "model.onnx").operators
