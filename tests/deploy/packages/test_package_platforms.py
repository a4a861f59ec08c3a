"""Packages of what this machine cannot measure: MLX for iOS, GGUF for Android, OpenVINO Model Server.

Their files are small ones of that form, and the report is one that says that they passed.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml
from kit.hostile_models import pair, sound_gguf
from kit.packaged import IMAGE, SERVER, Packaging, told
from kit.support import MISSION

from gatekeeper.config.load import load

HOW = """\
edge_ai_pipeline:
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
    edge_server:
      intel_based:
        framework: openvino
        optimization: {quantization: int8, acceleration: cpu_gpu_auto, batch_processing: dynamic}
        deployment: {container: openvino_runtime, orchestration: kubernetes, scaling: horizontal, memory: 1GiB}
"""


def mlx(folder: Path) -> None:
    config = {"model_type": "llama", "architectures": ["LlamaForCausalLM"], "vocab_size": 8, "hidden_size": 4}
    config |= {"num_hidden_layers": 1, "num_attention_heads": 1, "quantization": {"group_size": 64, "bits": 4}}
    (folder / "config.json").write_text(json.dumps(config))
    header = {"model.embed_tokens.weight": {"dtype": "F32", "shape": [8, 4], "data_offsets": [0, 128]}}
    text = json.dumps(header).encode()
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + bytes(128))
    (folder / "tokenizer.json").write_text("{}")


def gguf(folder: Path) -> None:
    sound_gguf(folder, pair("tokenizer.ggml.model", "gpt2"))


def openvino(batch: int = -1) -> Callable[[Path], None]:
    def fill(folder: Path) -> None:
        import openvino as ov
        from openvino import opset13 as op

        x = op.parameter([batch, 16], np.float32, name="x")
        y = op.matmul(x, op.constant(np.ones((16, 4), np.float32)), False, False)
        ov.save_model(ov.Model([y], [x], "m"), folder / "model.xml")

    return fill


@pytest.fixture
def packaging(packaging: Packaging) -> Packaging:
    packaging.how(HOW)
    return packaging


def test_an_mlx_folder_goes_into_a_bundle(packaging: Packaging) -> None:
    packaging.as_if("here/apple_mlx/int4", mlx)
    place = packaging.made("--part", "ios", "--for", "mobile") / "ios"
    files = {path.relative_to(place / "bundle").as_posix() for path in (place / "bundle").rglob("*") if path.is_file()}
    assert files == {"app.json", "model/config.json", "model/model.safetensors", "model/tokenizer.json"}
    app = json.loads((place / "bundle/app.json").read_text())
    assert app["runtime"]["memory_mapping"] is True and app["runtime"]["background_execution"] == "limited"
    assert app["model"]["family"] == "llama" and app["format"] == "mlx"
    size = sum(path.stat().st_size for path in (place / "bundle").rglob("*") if path.is_file())
    packaging.change("bundle_size: <50MB", f"bundle_size: {size}B")
    packaging.made("--part", "ios", "--for", "mobile", "--replace")
    packaging.change(f"bundle_size: {size}B", f"bundle_size: {size - 1}B")
    done = packaging.call("--part", "ios", "--for", "mobile", "--replace")
    assert done.returncode == 1 and "1 B over packaging.mobile_deployment.ios.packaging.bundle_size" in done.stderr


def test_a_gguf_goes_into_an_apk(packaging: Packaging) -> None:
    packaging.as_if("here/llama_cpp/q4_k_m", gguf)
    place = packaging.made("--part", "android", "--for", "mobile") / "android"
    app = json.loads((place / "assets/app.json").read_text())
    assert list(app["files"]) == ["model/model.gguf"]
    assert app["runtime"]["n_batch"] == 128 and app["runtime"]["use_mmap"] is True
    assert app["runtime"]["threads"] == "performance_cores" and app["runtime"]["release_on_low_memory"] is True
    packaging.change("threading: android_optimized", "threading: default")
    packaging.change("memory_management: conservative", "memory_management: balanced")
    packaging.made("--part", "android", "--for", "mobile", "--replace")
    app = json.loads((place / "assets/app.json").read_text())
    assert app["runtime"]["n_batch"] == 512 and app["runtime"]["threads"] == "all_cores"


def with_session(fill: Callable[[Path], object]) -> Callable[[Path], None]:
    def filled(folder: Path) -> None:
        fill(folder)
        (folder / "session.json").write_text('{"threads":3}')

    return filled


def test_how_a_model_was_opened_goes_into_the_app_and_is_not_lost_in_another_server(packaging: Packaging) -> None:
    packaging.as_if("here/llama_cpp/q4_k_m-threads_3", with_session(gguf))
    place = packaging.made("--part", "android", "--for", "mobile") / "android"
    app = json.loads((place / "assets/app.json").read_text())
    assert app["runtime"]["session"] == {"threads": 3} and list(app["files"]) == ["model/model.gguf", "model/session.json"]
    packaging.as_if("here/openvino/int8_static-threads_3", with_session(openvino()))
    done = packaging.call("--part", "intel_based", "--for", "edge_server")
    assert done.returncode == 1 and 'a session of its own, {"threads": 3}, and these servers take none' in done.stderr


def test_what_is_of_another_form_is_refused(packaging: Packaging) -> None:
    packaging.as_if("here/apple_mlx/int4", gguf)
    done = packaging.call("--part", "ios", "--for", "mobile")
    assert done.returncode == 1 and "format is mlx, and here/apple_mlx/int4 is none: it has model.gguf" in done.stderr


def test_of_several_parts_none_is_written_where_one_is_refused(packaging: Packaging) -> None:
    packaging.as_if("here/llama_cpp/q4_k_m", gguf)
    done = packaging.call("--for", "mobile")
    assert done.returncode == 1 and "ios wants apple_mlx as int4, and the report has no such variant" in done.stderr
    assert not packaging.output.exists()


def test_all_that_is_refused_is_said_at_once(packaging: Packaging) -> None:
    done = packaging.call()
    assert done.returncode == 1
    for part in ("mobile_deployment.ios", "mobile_deployment.android", "edge_server.intel_based"):
        assert f"packaging.{part} wants" in done.stderr
    assert "Traceback" not in done.stderr and not packaging.output.exists()


def test_openvino_s_server_has_its_repository(packaging: Packaging) -> None:
    packaging.as_if("here/openvino/int8_static", openvino())
    words = ["--for", "edge_server", "--name", "digits", "--base", SERVER, "--image", IMAGE]
    place = packaging.made(*words) / "intel_based"
    config = json.loads((place / "models/config.json").read_text())
    (entry,) = config["model_config_list"]
    assert entry == {
        "config": {
            "name": "digits",
            "base_path": "/models/digits",
            "target_device": "AUTO:GPU,CPU",
            "plugin_config": {"PERFORMANCE_HINT": "LATENCY"},
        }
    }
    assert {path.name for path in (place / "models/digits/1").iterdir()} == {"model.xml", "model.bin"}
    recipe = (place / "Containerfile").read_text()
    assert f"FROM {SERVER}\n" in recipe and '"--config_path", "/models/config.json"' in recipe and "USER 5000:5000" in recipe
    server = yaml.safe_load((place / "manifests/deployment.yaml").read_text())["spec"]["template"]["spec"]
    assert server["containers"][0]["image"] == IMAGE and server["securityContext"]["runAsUser"] == 5000
    assert any("for cpu_gpu_auto, and was measured on cpu" in note for note in told(place)["not_measured"])


def test_a_batch_that_the_model_does_not_take_is_refused(packaging: Packaging) -> None:
    packaging.as_if("here/openvino/int8_static", openvino(batch=1))
    done = packaging.call("--for", "edge_server")
    assert done.returncode == 1 and "batch_processing is dynamic, and the model takes a fixed number" in done.stderr
    packaging.change("batch_processing: dynamic", "batch_processing: static")
    config = packaging.made("--for", "edge_server", "--name", "digits") / "intel_based/models/config.json"
    assert "batch_size" not in config.read_text()


def test_a_batch_that_shall_be_one_is_said_to_be(packaging: Packaging) -> None:
    packaging.as_if("here/openvino/int8_static", openvino())
    packaging.change("batch_processing: dynamic", "batch_processing: none")
    packaging.change("acceleration: cpu_gpu_auto", "acceleration: npu")
    config = json.loads((packaging.made("--for", "edge_server") / "intel_based/models/config.json").read_text())
    entry = config["model_config_list"][0]["config"]
    assert entry["batch_size"] == "1" and entry["target_device"] == "NPU"


def test_one_host_runs_it_where_the_file_says_compose(packaging: Packaging) -> None:
    packaging.as_if("here/openvino/int8_static", openvino())
    packaging.change("orchestration: kubernetes, scaling: horizontal", "orchestration: compose, scaling: horizontal")
    done = packaging.call("--for", "edge_server", "--image", IMAGE)
    assert done.returncode == 1 and "scaling is horizontal, and compose starts no more" in done.stderr
    packaging.change("scaling: horizontal", "scaling: none")
    place = packaging.made("--for", "edge_server", "--image", IMAGE, "--name", "digits") / "intel_based"
    service = yaml.safe_load((place / "compose.yaml").read_text())["services"]["digits"]
    assert service["image"] == IMAGE and service["user"] == "5000:5000" and "healthcheck" not in service


def test_text_is_not_put_into_servers_of_tensors(packaging: Packaging) -> None:
    packaging.as_if("here/openvino/int8_static", gguf)
    done = packaging.call("--for", "edge_server")
    assert done.returncode == 1 and "writes text, and only models of tensors" in done.stderr


def test_a_language_model_that_is_one_file_is_served(packaging: Packaging) -> None:
    packaging.as_if("here/llama_cpp/q4_k_m", gguf)
    place = packaging.made("--for", "container", "--base", SERVER) / "container"
    wanted = (place / "requirements.txt").read_text().split()
    assert "llama-cpp-python" in wanted and "torch" not in wanted and "onnxruntime" not in wanted
    assert '"serve", "/model/model.gguf", "--framework", "llama_cpp"' in (place / "Containerfile").read_text()


def test_a_format_that_no_framework_makes_is_told_at_once(tmp_path: Path) -> None:
    from gatekeeper.errors import ConfigError

    file = tmp_path / "p.yaml"
    file.write_text(MISSION + "\n".join(HOW.splitlines()[1:]).replace("format: mlx", "format: coreml"))
    with pytest.raises(ConfigError, match=r"apple_mlx does not make coreml"):
        load(file)
