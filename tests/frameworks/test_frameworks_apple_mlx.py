"""MLX on small real language models: it answers as transformers does, and what it makes is what it says."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from kit.families import representative
from kit.support import write_model
from kit.tiny_llm import VOCABULARY, write_llama
from safetensors import safe_open

from gatekeeper.errors import NotMeasured
from gatekeeper.frameworks._base import OptimizeJob, framework, needs, untimed
from gatekeeper.frameworks.apple_mlx import TECHNIQUES, _explained, defaults, open_session, optimize, refuses, supports
from gatekeeper.hardware.selection import TARGETS, hardware
from gatekeeper.models.files import assess

FAMILIES = ("llama", "mistral", "qwen2", "qwen3", "phi3")
LLAMA3 = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0}
POSITIONS: dict[str, dict[str, Any]] = {
    **{f"{family}, another base": {"family": family, "rope_parameters": {"rope_theta": 300.0}} for family in FAMILIES},
    "llama, scaled": {
        "family": "llama",
        "rope_parameters": LLAMA3 | {"rope_theta": 5e5, "original_max_position_embeddings": 16},
    },
    "gemma3, two bases": {
        "family": "gemma3_text",
        "layer_types": ["sliding_attention", "full_attention"],
        "sliding_window": 16,
        "sliding_window_pattern": 2,
        "rope_parameters": {
            "sliding_attention": {"rope_type": "default", "rope_theta": 100.0},
            "full_attention": {"rope_type": "linear", "factor": 4.0, "rope_theta": 3000.0},
        },
    },
}
PROMPT = np.random.default_rng(0).integers(0, VOCABULARY, 40)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """`tiny(family, ...)`: a folder as `write_llama` writes it, each once."""
    root, made = tmp_path_factory.mktemp("tiny"), {}

    def write(family: str = "llama", **settings: Any) -> Path:
        key = json.dumps([family, settings], sort_keys=True)
        if key not in made:
            made[key] = write_llama(root / str(len(made)), family, **settings)
        return made[key]

    return write


def make(source: Path, technique: str, destination: Path, device: str = "cpu") -> Path:
    destination.mkdir()
    optimize(
        OptimizeJob(source=source, destination=destination, technique=technique, device=device, vnni=False, calibration=None)
    )
    return destination


def log_probabilities(path: Path, tokens: Any = PROMPT) -> Any:
    (logits,) = open_session(path, 1, "cpu").run({"tokens": tokens[None]})
    assert (logits.dtype, logits.shape[:2]) == (np.float32, (1, len(tokens)))
    return normalized(logits[0, :, :VOCABULARY])


def normalized(logits: Any) -> Any:
    return logits - np.log(np.exp(logits - logits.max(-1, keepdims=True)).sum(-1, keepdims=True)) - logits.max(-1, keepdims=True)


def by_transformers(path: Path, new_tokens: int) -> tuple[Any, list[int]]:
    """Log-probabilities of the prompt and what is written after it, both by the reference."""
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(path, dtype="float32").eval()
    with torch.no_grad():
        tokens = torch.tensor(PROMPT[None])
        logits = model(tokens).logits[0].numpy()
        for _ in range(new_tokens):
            following = model(tokens).logits[0, -1].argmax()
            tokens = torch.cat([tokens, following[None, None]], 1)
    return normalized(logits), tokens[0, len(PROMPT) :].tolist()


def tensors(folder: Path) -> dict[str, str]:
    """Name -> element type, from the header of the weights."""
    with safe_open(folder / "model.safetensors", "np") as file:
        return {name: file.get_slice(name).get_dtype() for name in file.keys()}  # noqa: SIM118


def size(folder: Path) -> int:
    return (folder / "model.safetensors").stat().st_size


@pytest.mark.parametrize("name", representative([*FAMILIES, *POSITIONS]))
def test_it_answers_and_writes_as_transformers_does(tiny: Callable[..., Path], name: str) -> None:
    path = tiny(**({"family": name} | POSITIONS.get(name, {})))
    expected, written = by_transformers(path, 12)
    assert np.abs(log_probabilities(path) - expected).max() < 1e-3
    found = list(open_session(path, 1, "cpu").generate({"tokens": PROMPT, "new_tokens": np.int64(12)}))
    assert found == written
    assert {type(token) for token in found} == {int}


def test_every_request_starts_from_an_empty_context(tiny: Callable[..., Path]) -> None:
    session, feed = open_session(tiny(), 1, "cpu"), {"tokens": PROMPT, "new_tokens": 6}
    first, (logits,) = list(session.generate(feed)), session.run({"tokens": PROMPT[None]})
    next(session.generate(feed))  # given up after one token
    assert list(session.generate(feed)) == first
    assert np.array_equal(session.run({"tokens": PROMPT[None]})[0], logits)
    assert (session.inputs, session.outputs) == (("tokens",), ("logits",))


def test_writing_does_not_end_at_the_end_of_text_token(tiny: Callable[..., Path], tmp_path: Path) -> None:
    path = tiny()
    written = by_transformers(path, 4)[1]
    config = json.loads((path / "config.json").read_text()) | {"eos_token_id": written[0]}
    for file in path.iterdir():
        (tmp_path / file.name).symlink_to(file)
    (tmp_path / "config.json").unlink()
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert list(open_session(tmp_path, 1, "cpu").generate({"tokens": PROMPT, "new_tokens": 4})) == written


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_weights_are_computed_with_as_they_are_stored(tiny: Callable[..., Path], dtype: str) -> None:
    path = tiny(dtype=dtype)
    session = open_session(path, 1, "cpu")
    assert str(session._model(session._mx.array(PROMPT[None])).dtype) == f"mlx.core.{dtype}"
    assert np.abs(log_probabilities(path) - by_transformers(path, 0)[0]).max() < {"float32": 1e-3}.get(dtype, 0.1)


@pytest.mark.parametrize("family", representative(FAMILIES))
@pytest.mark.parametrize("technique", ["int8", "int4", "mixed_4_6"])
def test_quantized_weights_are_smaller_and_stay_close(
    tiny: Callable[..., Path], tmp_path: Path, family: str, technique: str
) -> None:
    source = tiny(family)
    folder = make(source, technique, tmp_path / technique)
    kinds = tensors(folder)
    packed = {name for name in kinds if name.removesuffix("weight") + "scales" in kinds}
    assert {kinds[name] for name in packed} == {"U32"}
    assert not {name for name in kinds if name.endswith("weight") and "norm" not in name} - packed
    assert size(folder) < {"int8": 0.32, "int4": 0.17, "mixed_4_6": 0.2}[technique] * size(source)
    assert json.loads((folder / "config.json").read_text())["quantization"]["bits"] == (8 if technique == "int8" else 4)
    distance = np.abs(np.exp(log_probabilities(folder)) - np.exp(log_probabilities(source))).sum(-1).mean()
    assert 0 < distance < {"int8": 0.02, "int4": 0.3, "mixed_4_6": 0.3}[technique]
    assert len(list(open_session(folder, 1, "cpu").generate({"tokens": PROMPT, "new_tokens": 3}))) == 3


def test_each_recipe_mixes_the_bits_of_its_name(tiny: Callable[..., Path], tmp_path: Path) -> None:
    for technique in (name for name in TECHNIQUES if name.startswith("mixed_")):
        stored = json.loads((make(tiny(), technique, tmp_path / technique) / "config.json").read_text())["quantization"]
        layers = {settings["bits"] for settings in stored.values() if isinstance(settings, dict)}
        assert layers == {int(bits) for bits in technique.split("_")[1:]}
        assert stored["lm_head"]["bits"] == max(layers)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_fp16_halves_every_weight(tiny: Callable[..., Path], tmp_path: Path, dtype: str) -> None:
    source = tiny(dtype=dtype)
    folder = make(source, "fp16", tmp_path / "fp16")
    assert set(tensors(folder).values()) == {"F16"}
    assert json.loads((folder / "config.json").read_text())["dtype"] == "float16"
    assert 0 < np.abs(log_probabilities(folder) - log_probabilities(source)).max() < 0.1


def test_the_folder_is_flat_and_brings_the_tokenizer_and_no_code(tiny: Callable[..., Path], tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for file in tiny().iterdir():
        (source / file.name).symlink_to(file)
    (source / "modeling_x.py").write_text("raise SystemExit")
    (source / "README.md").write_text("a model")
    (source / "chat_template.jinja").write_text("{{ messages }}")
    folder = make(source, "int4", tmp_path / "int4")
    assert sorted(file.name for file in folder.iterdir()) == [
        "chat_template.jinja",
        "config.json",
        "generation_config.json",
        "model.safetensors",
        "model.safetensors.index.json",
        "tokenizer.json",
        "tokenizer_config.json",
    ]
    assert all(file.is_file() and not file.is_symlink() for file in folder.iterdir())


# Rows that groups of 64 divide: all, some, none.
SHAPES: dict[str, dict[str, Any]] = {
    "all": {},
    "some": {"intermediate_size": 160},
    "none": {"hidden_size": 96, "head_dim": 24, "intermediate_size": 160},
}


HALVES = [(technique, "all", dtype) for technique in ("fp16", "int4") for dtype in ("float16", "bfloat16")]


@pytest.mark.parametrize(
    ("technique", "shape", "dtype"), [(name, shape, "float32") for name in TECHNIQUES for shape in SHAPES] + HALVES
)
def test_what_is_refused_cannot_be_done_and_the_rest_can(
    tiny: Callable[..., Path], tmp_path: Path, technique: str, shape: str, dtype: str
) -> None:
    source = tiny(dtype=dtype, **SHAPES[shape])
    reason = refuses(technique, assess(source), False)
    assert (reason is not None) == (dtype == "float16" if technique == "fp16" else shape == "none")
    if reason:
        with pytest.raises(NotMeasured, match="changed nothing") as caught:
            make(source, technique, tmp_path / "made")
        assert caught.value.kind == "unsupported"
    else:
        assert np.isfinite(log_probabilities(make(source, technique, tmp_path / "made"))).all()


def test_refusals_name_what_was_found(tiny: Callable[..., Path]) -> None:
    assert "(96, 160)" in str(refuses("int4", assess(tiny(**SHAPES["none"])), False))


@pytest.mark.parametrize("technique", ["int8", "mixed_2_6"])
def test_what_it_quantized_is_not_quantized_again(tiny: Callable[..., Path], tmp_path: Path, technique: str) -> None:
    folder = make(tiny(), technique, tmp_path / technique)
    for other in TECHNIQUES:
        assert "already quantized" in str(refuses(other, assess(folder), False))
    halved = assess(make(tiny(), "fp16", tmp_path / "fp16"))
    assert [name for name in TECHNIQUES if refuses(name, halved, False)] == ["fp16"]


def test_it_is_for_models_that_write_text(tmp_path: Path) -> None:
    write_model(tmp_path / "model.onnx")
    for technique in TECHNIQUES:
        assert "does not write text" in str(refuses(technique, assess(tmp_path / "model.onnx"), False))


def test_only_language_models_on_apples_devices_and_the_reference() -> None:
    assert [supports("huggingface", device) for device in ("metal", "cpu")] == [None, None]
    for model_format in ("onnx", "openvino_ir", "gguf"):
        assert model_format in str(supports(model_format, "metal"))
    for target in TARGETS.names:
        device = hardware(target).DEVICE
        assert (supports("huggingface", device) is None) == (device in ("metal", "cpu"))
    for device in ("metal", "cpu"):
        assert set(defaults("huggingface", device)) <= set(TECHNIQUES)
    assert needs("apple_mlx", "huggingface").extra == "mlx"
    assert framework("apple_mlx").REQUIRES == ("mlx", "mlx-lm", "numpy")


def test_times_mean_something_on_metal_only(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "Apple Silicon" in str(untimed("apple_mlx", "cpu"))
    monkeypatch.setattr("sys.platform", "linux")
    assert "Apple Silicon" in str(untimed("apple_mlx", "metal"))
    # A Mac stands behind these two: none runs the tests.
    monkeypatch.setattr("sys.platform", "darwin")
    monkeypatch.setattr("platform.machine", lambda: "arm64")
    assert untimed("apple_mlx", "metal") is None
    assert "Apple Silicon" in str(untimed("apple_mlx", "cpu"))


@pytest.mark.skipif(sys.platform == "darwin", reason="there is Metal here")
def test_metal_is_not_replaced_by_the_cpu(tiny: Callable[..., Path], tmp_path: Path) -> None:
    for attempt in (lambda: open_session(tiny(), 1, "metal"), lambda: make(tiny(), "int4", tmp_path / "int4", "metal")):
        with pytest.raises(NotMeasured, match=r"no Metal on this machine \(Linux.* Apple Silicon Mac\.") as caught:
            attempt()
        assert caught.value.kind == "unsupported"
    with pytest.raises(NotMeasured, match="not on cuda"):
        open_session(tiny(), 1, "cuda")


def test_the_session_says_what_it_ran_on(tiny: Callable[..., Path]) -> None:
    assert open_session(tiny(), 1, "cpu").ran_on == "cpu, threads not settable"


def test_a_model_that_mlx_cannot_load_is_a_message(tiny: Callable[..., Path], tmp_path: Path) -> None:
    def changed(**changes: Any) -> Path:
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        folder.mkdir()
        (folder / "model.safetensors").symlink_to(tiny() / "model.safetensors")
        config = json.loads((tiny() / "config.json").read_text()) | changes
        (folder / "config.json").write_text(json.dumps(config))
        return folder

    broken = changed()
    (broken / "model.safetensors").unlink()
    (broken / "model.safetensors").write_bytes(b"not weights")
    for folder, kind, said in (
        (changed(model_type="brontosaurus"), "unsupported", "no models of the family brontosaurus"),
        (changed(num_hidden_layers=3), "model", "cannot load"),
        (changed(hidden_size=128), "model", "cannot load"),
        (changed(model_file="modeling_x.py"), "model", "custom module"),
        (broken, "model", "cannot load"),
        (tmp_path / "nowhere", "model", "cannot load"),
    ):
        with pytest.raises(NotMeasured, match=said) as caught:
            open_session(folder, 1, "cpu")
        assert caught.value.kind == kind
        assert "\n" not in str(caught.value)


def test_recipes_need_layers_they_know(tmp_path: Path) -> None:
    source = write_llama(tmp_path / "starcoder2", "starcoder2")
    with pytest.raises(NotMeasured, match=r"does not know the layers of starcoder2\. Use int4\.") as caught:
        make(source, "mixed_4_6", tmp_path / "mixed")
    assert caught.value.kind == "unsupported"
    make(source, "int4", tmp_path / "int4")


def test_lack_of_memory_and_of_disk_are_named() -> None:
    # What MLX says on Metal, from its sources: none is here to say it.
    for text in (
        "[metal::malloc] Attempting to allocate 9 bytes which is greater than the maximum allowed buffer size of 8 bytes.",
        "[METAL] Command buffer execution failed: Insufficient Memory (00000008:kIOGPUCommandBufferCallbackErrorOutOfMemory)",
    ):
        with pytest.raises(NotMeasured, match="out of memory") as caught, _explained():
            raise RuntimeError(text)
        assert caught.value.kind == "memory"
    with pytest.raises(RuntimeError, match="else"), _explained():
        raise RuntimeError("something else")


@pytest.mark.thorough
def test_a_full_disk_is_named(tiny: Callable[..., Path], tmp_path: Path) -> None:
    (tmp_path / "int4").mkdir()
    script = f"""
import resource, signal
from pathlib import Path
from gatekeeper.errors import NotMeasured
from gatekeeper.frameworks._base import OptimizeJob
from gatekeeper.frameworks.apple_mlx import optimize
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    optimize(OptimizeJob(Path({str(tiny())!r}), Path({str(tmp_path / "int4")!r}), "int4", "cpu", False, None))
except NotMeasured as error:
    print(error.kind, error)
"""
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout.startswith("disk MLX cannot write the artifact")
    assert ran.stdout.strip().endswith("Free some space.")


def test_it_is_quiet_and_leaves_nothing_behind(tiny: Callable[..., Path], tmp_path: Path) -> None:
    """In a process of its own: nothing on standard output, no warnings, no network, no kernels compiled into /tmp."""
    (tmp_path / "int4").mkdir()
    script = f"""
import socket
def refuse(*words, **options): raise OSError("a network is not needed")
socket.socket.connect = socket.getaddrinfo = refuse
from pathlib import Path
import numpy as np
from gatekeeper.frameworks._base import OptimizeJob
from gatekeeper.frameworks.apple_mlx import open_session, optimize
folder = Path({str(tmp_path / "int4")!r})
optimize(OptimizeJob(Path({str(tiny())!r}), folder, "mixed_4_6", "cpu", False, None))
session = open_session(folder, 1, "cpu")
session.run({{"tokens": np.arange(8)[None]}})
assert len(list(session.generate({{"tokens": np.arange(8), "new_tokens": 3}}))) == 3
"""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        capture_output=True,
        text=True,
        env={"PATH": "/usr/bin:/bin", "TMPDIR": str(temporary), "HOME": str(tmp_path), "PYTHONPATH": ":".join(sys.path)},
        check=False,
    )
    assert (ran.returncode, ran.stdout) == (0, ""), ran.stderr
    assert list(temporary.iterdir()) == []


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_weights_count_in_the_memory_of_the_process(tiny: Callable[..., Path]) -> None:
    source = tiny(hidden_size=512, intermediate_size=2048, num_hidden_layers=4)
    script = f"""
import importlib
from pathlib import Path
from gatekeeper.frameworks import apple_mlx
from gatekeeper.process.memory import Footprint
import os
importlib.import_module(apple_mlx.RUNTIME)
before = Footprint(os.getpid()).full()
session = apple_mlx.open_session(Path({str(source)!r}), 1, "cpu")
print(Footprint(os.getpid()).full() - before)
"""
    taken = int(subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout)
    assert 0.9 * size(source) < taken < 1.3 * size(source) + (4 << 20)
