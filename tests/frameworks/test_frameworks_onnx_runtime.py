"""Every technique of ONNX Runtime on small real models: it runs, stays close, and what is refused is rightly refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from kit.families import representative
from kit.tensor_models import EXAMPLES, MODELS, Model, distance, gemm, mlp, save

from gatekeeper.errors import NotMeasured
from gatekeeper.frameworks._base import OptimizeJob, framework
from gatekeeper.frameworks.onnx_runtime import TECHNIQUES, defaults, open_session, optimize, refuses, supports
from gatekeeper.hardware.machine import this_machine
from gatekeeper.hardware.selection import TARGETS, hardware
from gatekeeper.making.job import Optimize
from gatekeeper.models.formats.onnx import inspect
from gatekeeper.process.isolate import Worker
from gatekeeper.process.messages import Done


def make(path: Path, technique: str, calibration: Path | None, vnni: bool | None = None) -> Path:
    """The folder of the artifact."""
    destination = path.parent / technique
    destination.mkdir()
    optimize(
        OptimizeJob(
            source=path,
            destination=destination,
            technique=technique,
            device="cpu",
            vnni=this_machine().vnni if vnni is None else vnni,
            calibration=calibration,
        )
    )
    return destination


def answer(path: Path, model: Model) -> Any:
    session = open_session(path, 1, "cpu")
    (found,) = session.run({session.inputs[0]: model.examples})
    return found


CLOSE = {
    "graph_optimized": 1e-5,
    "fp16": 0.01,
    "int8_dynamic": 0.1,
    "int8_static": 0.1,
    "int8_weight_only": 0.03,
    "int4_weight_only": 0.3,
}


def test_every_technique_has_a_tolerance_here_or_is_for_text(tmp_path: Path) -> None:
    assert set(CLOSE) == set(TECHNIQUES) - {"int4_mixed"}
    path, _ = save(mlp(), tmp_path)
    assert "language models" in (refuses("int4_mixed", inspect(path), calibrated=True) or "")


@pytest.mark.parametrize("technique", CLOSE)
@pytest.mark.parametrize("name", ["mlp", "cnn"])
def test_a_technique_stays_close_to_the_original(tmp_path: Path, name: str, technique: str) -> None:
    model = MODELS[name]()
    path, calibration = save(model, tmp_path)
    if refuses(technique, inspect(path), calibrated=True):
        pytest.skip("refused, see below")
    found = answer(make(path, technique, calibration), model)
    original = answer(path, model)
    assert found.shape == original.shape
    assert found.dtype == original.dtype
    assert distance(found, original) < CLOSE[technique]


# Nothing in these is a matrix or a kernel: quantizing a lone vector is possible and helps nobody.
REFUSED_ON_PURPOSE = {("shape_arithmetic", "int8_static"), ("vector_weight", "int8_dynamic"), ("vector_weight", "int8_static")}


@pytest.mark.parametrize("technique", CLOSE)
@pytest.mark.parametrize("name", representative(MODELS))
def test_what_is_refused_would_change_nothing_and_the_rest_works(tmp_path: Path, name: str, technique: str) -> None:
    model = MODELS[name]()
    path, calibration = save(model, tmp_path)
    assessment = inspect(path)
    refused = refuses(technique, assessment, calibrated=True)
    if refused is None:
        artifact = make(path, technique, calibration)
        assert distance(answer(artifact, model), answer(path, model)) < max(CLOSE[technique], 0.4)
        assert inspect(artifact / "model.onnx").quantized == technique.startswith("int")
        return
    if (name, technique) in REFUSED_ON_PURPOSE:
        return
    try:
        artifact = make(path, technique, calibration)
        answer(artifact, model)
    except Exception:
        return
    made = inspect(artifact / "model.onnx")
    assert made.weights == assessment.weights, f"refused because {refused}, and yet it works"


@pytest.mark.parametrize("technique", CLOSE)
def test_a_quantized_model_is_not_quantized_again(tmp_path: Path, technique: str) -> None:
    model = mlp()
    path, calibration = save(model, tmp_path)
    quantized = make(path, "int8_dynamic", calibration) / "model.onnx"
    refused = refuses(technique, inspect(quantized), calibrated=True)
    assert (refused is not None) == (technique != "graph_optimized")
    if refused is None:
        again = make(quantized, technique, calibration)
        assert distance(answer(again, model), answer(path, model)) < 0.2


@pytest.mark.parametrize("vnni", [True, False])
@pytest.mark.parametrize("make_model", [mlp, gemm])
def test_static_quantization_takes_a_bias_of_shape_1_n(tmp_path: Path, make_model: Any, vnni: bool) -> None:
    model = make_model((1, 256))
    path, calibration = save(model, tmp_path)
    found = answer(make(path, "int8_static", calibration, vnni), model)
    assert distance(found, answer(path, model)) < CLOSE["int8_static"]


def test_the_artifact_needs_nothing_outside_its_folder(tmp_path: Path) -> None:
    model = mlp()
    path, calibration = save(model, tmp_path)
    folders = [make(path, technique, calibration) for technique in CLOSE]
    before = path.read_bytes()
    path.unlink()
    for folder in folders:
        assert [f.name for f in folder.iterdir()] == ["model.onnx"]
        answer(folder, model)
    assert before == model.proto.SerializeToString()


def test_making_twice_gives_the_same_numbers(tmp_path: Path) -> None:
    model = mlp()
    path, calibration = save(model, tmp_path)
    for technique in CLOSE:
        first = answer(make(path, technique, calibration), model)
        (path.parent / technique).rename(path.parent / f"{technique}-first")
        assert np.array_equal(first, answer(make(path, technique, calibration), model))


def test_a_model_with_external_weights_is_optimized(tmp_path: Path) -> None:
    model = mlp()
    path, calibration = save(model, tmp_path)
    original = answer(path, model)
    onnx.save(model.proto, str(path), save_as_external_data=True, location="original.onnx.data", size_threshold=0)
    for technique in CLOSE:
        assert distance(answer(make(path, technique, calibration), model), original) < CLOSE[technique]


@pytest.mark.parametrize("batch", [3, EXAMPLES])
def test_static_quantization_calibrates_in_the_models_own_batch(tmp_path: Path, batch: int) -> None:
    model = mlp()
    model.proto.graph.input[0].type.tensor_type.shape.dim[0].dim_value = batch
    path, calibration = save(model, tmp_path)
    model.examples = model.examples[:batch]
    assert distance(answer(make(path, "int8_static", calibration), model), answer(path, model)) < CLOSE["int8_static"]


def test_a_calibration_set_smaller_than_a_batch_is_not_enough(tmp_path: Path) -> None:
    model = mlp()
    model.proto.graph.input[0].type.tensor_type.shape.dim[0].dim_value = EXAMPLES + 1
    path, calibration = save(model, tmp_path)
    with pytest.raises(NotMeasured, match="fewer examples than the model's batch of 17"):
        make(path, "int8_static", calibration)


def test_static_quantization_without_calibration_is_refused(tmp_path: Path) -> None:
    path, _ = save(mlp(), tmp_path)
    assert "dataset.calibration" in (refuses("int8_static", inspect(path), calibrated=False) or "")
    with pytest.raises(NotMeasured, match=r"dataset\.calibration") as caught:
        make(path, "int8_static", None)
    assert caught.value.kind == "data"


@pytest.mark.parametrize("technique", [t for t in CLOSE if t != "int8_static"])
def test_the_others_need_no_calibration(tmp_path: Path, technique: str) -> None:
    model = mlp()
    path, _ = save(model, tmp_path)
    assert refuses(technique, inspect(path), calibrated=False) is None
    answer(make(path, technique, None), model)


@pytest.mark.parametrize("device", sorted({hardware(name).DEVICE for name in TARGETS.names}))
def test_a_device_is_supported_or_there_is_a_reason(tmp_path: Path, device: str) -> None:
    import onnxruntime

    path, _ = save(mlp(), tmp_path)
    reason = supports("onnx", device)
    assert (reason is None) == (device in ("cpu", "cuda"))
    if device == "cpu" or (device == "cuda" and "CUDAExecutionProvider" in onnxruntime.get_available_providers()):
        return
    with pytest.raises(NotMeasured) as caught:
        open_session(path, 1, device)
    assert caught.value.kind == "unsupported"


def test_another_format_is_not_supported() -> None:
    assert "gguf" in (supports("gguf", "cpu") or "")


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_defaults_are_techniques(device: str) -> None:
    assert set(defaults("onnx", device)) <= set(TECHNIQUES)
    assert defaults("onnx", device)


def test_a_file_that_is_no_model_is_not_measured(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"hello")
    with pytest.raises(NotMeasured, match="cannot load the model") as caught:
        open_session(path, 1, "cpu")
    assert caught.value.kind == "model"
    assert "\n" not in str(caught.value)


def test_a_session_has_the_models_own_names(tmp_path: Path) -> None:
    path, _ = save(mlp(), tmp_path)
    session = open_session(path, 2, "cpu")
    assert (session.inputs, session.outputs) == (("x",), ("y",))
    assert session.ran_on == "CPUExecutionProvider"


def test_a_worker_reports_to_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """ONNX Runtime would leave an identity in the home folder, and send it."""
    path, _ = save(mlp(), tmp_path)
    home, made = tmp_path / "home", tmp_path / "made"
    home.mkdir()
    made.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("ORT_DISABLE_TELEMETRY")
    job = Optimize(
        framework="onnx_runtime",
        technique="graph_optimized",
        source=str(path),
        destination=str(made),
        device="cpu",
        vnni=False,
        calibration=None,
    )
    with Worker(tmp_path, 2 << 30) as worker:
        worker.ask(job, Done, 60.0)
    assert list(home.rglob("*")) == []


def test_the_module_is_the_registry_s() -> None:
    assert framework("onnx_runtime").TECHNIQUES is TECHNIQUES
