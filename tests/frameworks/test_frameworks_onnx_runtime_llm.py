"""Language models in ONNX Runtime: the converted answer as transformers does, the quantized are what they say."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from kit.families import representative
from kit.tiny_llm import write_llama

from gatekeeper.errors import NotMeasured
from gatekeeper.frameworks import _transformers
from gatekeeper.frameworks._base import ORIGINAL, OptimizeJob, converts, needs
from gatekeeper.frameworks._genai import FAMILIES
from gatekeeper.frameworks.onnx_runtime import TECHNIQUES, defaults, open_session, optimize, refuses, supports
from gatekeeper.models.files import assess
from gatekeeper.models.formats.onnx import inspect

# Not as many as the vocabulary, which the model builder cannot tell from the last layer.
SIZES: dict[str, Any] = {"intermediate_size": 768, "vocab_size": 640}
OWN = {"phi3": {"original_max_position_embeddings": 256}, "gemma2": {"sliding_window": 64}}
CASES: dict[str, dict[str, Any]] = {
    **{family: {"family": family} for family in FAMILIES},
    "llama, another base": {"family": "llama", "rope_parameters": {"rope_type": "default", "rope_theta": 300.0}},
    "llama, scaled": {
        "family": "llama",
        "rope_parameters": {
            "rope_type": "llama3", "rope_theta": 5e5, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
            "original_max_position_embeddings": 16,
        },
    },
    "llama, tied": {"family": "llama", "tie_word_embeddings": True},
    "llama, bfloat16": {"family": "llama", "dtype": "bfloat16"},
    "llama, biased": {"family": "llama", "attention_bias": True, "mlp_bias": True},
    "qwen2, another base": {"family": "qwen2", "rope_parameters": {"rope_type": "default", "rope_theta": 1e6}},
    "gemma2, windows": {"family": "gemma2", "sliding_window": 8},
}  # fmt: skip
TEXT = ("int8_dynamic", "int8_weight_only", "int4_weight_only", "int4_mixed")
PROMPT = np.random.default_rng(0).integers(1, 500, 40)
Tiny = Callable[..., Path]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    """`tiny(family, ...)`: a Hugging Face folder, and with `technique` the artifact made of it; each once."""
    root, made = tmp_path_factory.mktemp("tiny"), {}

    def write(family: str = "llama", technique: str = "", **settings: Any) -> Path:
        key = json.dumps([family, technique, settings], sort_keys=True)
        if key not in made:
            if technique:
                source = write(family, **settings)
                original = None if technique == ORIGINAL else write(family, ORIGINAL, **settings)
                made[key] = make(source, technique, root / str(len(made)), original)
            else:
                made[key] = write_llama(root / str(len(made)), family, **(SIZES | OWN.get(family, {}) | settings))
        return made[key]

    return write


def make(source: Path, technique: str, destination: Path, original: Path | None, device: str = "cpu") -> Path:
    destination.mkdir(parents=True)
    optimize(OptimizeJob(source, destination, technique, device, vnni=False, calibration=None, original=original))
    return destination


def normalized(logits: Any) -> Any:
    shifted = logits - logits.max(-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))


def log_probabilities(path: Path, tokens: Any = PROMPT) -> Any:
    (logits,) = open_session(path, 1, "cpu").run({"tokens": tokens[None]})
    assert (logits.dtype, logits.shape[:2]) == (np.float32, (1, len(tokens)))
    return normalized(logits[0])


def written(path: Path, new_tokens: int = 12, threads: int = 1) -> list[int]:
    session: Any = open_session(path, threads, "cpu")
    return list(session.generate({"tokens": PROMPT, "new_tokens": new_tokens}))


def reference(path: Path, tokens: Any = PROMPT, new_tokens: int = 0) -> tuple[Any, list[int]]:
    """Log-probabilities of the prompt and what is written after it, both by transformers."""
    session = _transformers.open_session(path, 1, "cpu")
    answers = session.run({"tokens": tokens[None]})[0][0]
    for _ in range(new_tokens):
        following = session.run({"tokens": tokens[None]})[0][0, -1].argmax()
        tokens = np.append(tokens, following)
    return normalized(answers), tokens[len(tokens) - new_tokens :].tolist()


def divergence(found: Any, expected: Any) -> float:
    """Mean Kullback-Leibler divergence."""
    return float((np.exp(expected) * (expected - found)).sum(-1).mean())


@pytest.mark.parametrize("case", representative(CASES))
def test_the_original_answers_and_writes_as_transformers_do(tiny: Tiny, case: str) -> None:
    source, original = tiny(**CASES[case]), tiny(technique=ORIGINAL, **CASES[case])
    assert all(refuses(technique, assess(source), calibrated=False) is None for technique in TEXT)
    answers, text = reference(source, new_tokens=12)
    assert np.abs(log_probabilities(original) - answers).max() < 1e-3
    assert written(original) == text
    assert log_probabilities(original, PROMPT[:1]) == pytest.approx(answers[:1], abs=1e-3)


def test_positions_matter_in_these_models(tiny: Tiny) -> None:
    """Or the test above would not notice a base that was passed over."""
    one, other = tiny("llama"), tiny(**CASES["llama, another base"])
    assert np.abs(reference(one)[0] - reference(other)[0]).max() > 0.01


@pytest.mark.parametrize("technique", TEXT)
def test_a_quantized_model_is_smaller_and_stays_close(tiny: Tiny, technique: str) -> None:
    original, made = tiny(technique=ORIGINAL), tiny(technique=technique)
    assert inspect(made / "model.onnx").quantized
    assert sum(inspect(made / "model.onnx").weights.values()) > 0
    sizes = [sum(file.stat().st_size for file in folder.glob("model.onnx*")) for folder in (original, made)]
    assert sizes[1] < 0.4 * sizes[0]
    assert 1e-7 < divergence(log_probabilities(made), log_probabilities(original)) < 0.01
    assert len(written(made)) == 12


def test_fewer_bits_are_worse_and_the_mixture_lies_between(tiny: Tiny) -> None:
    original = log_probabilities(tiny(technique=ORIGINAL))
    found = [divergence(log_probabilities(tiny(technique=name)), original) for name in TEXT[1:]]
    eight, four, mixed = found
    assert eight < mixed < four


@pytest.mark.parametrize(("technique", "precision"), [(ORIGINAL, "fp32"), ("int4_weight_only", "int4")])
def test_the_numbers_are_those_of_the_builder_itself(tiny: Tiny, tmp_path: Path, technique: str, precision: str) -> None:
    from onnxruntime_genai.models.builder import create_model, parse_extra_options

    source, folder, cache = str(tiny()), str(tmp_path / "made"), str(tmp_path / "cache")
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        options = parse_extra_options(None, source, folder, precision, "cpu", cache, [])
        create_model(None, source, folder, precision, "cpu", cache, **options)
    assert np.array_equal(log_probabilities(Path(folder)), log_probabilities(tiny(technique=technique)))


def test_making_twice_gives_the_same_bytes(tiny: Tiny, tmp_path: Path) -> None:
    for technique in (ORIGINAL, "int8_dynamic", "int4_weight_only"):
        again = make(tiny(), technique, tmp_path / technique, None if technique == ORIGINAL else tiny(technique=ORIGINAL))
        for file in again.iterdir():
            assert file.read_bytes() == (tiny(technique=technique) / file.name).read_bytes(), file


def test_artifacts_are_flat_and_need_nothing_else(
    tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    original = tmp_path / "original"
    shutil.copytree(tiny(technique=ORIGINAL), original)
    (original / "entry.json").write_text("{}")  # of the cache, where originals are kept
    monkeypatch.chdir(tmp_path)
    capfd.readouterr()
    for technique in (ORIGINAL, *TEXT):
        folder = make(tiny(), technique, tmp_path / "made" / technique, original)
        assert {file.name for file in folder.iterdir()} == {
            "model.onnx", "model.onnx.data", "genai_config.json", "tokenizer.json", "tokenizer_config.json"
        }  # fmt: skip
        written(folder, 2)
    assert {file.name for file in tmp_path.iterdir()} == {"made", "original"}
    assert "Reading" not in "".join(capfd.readouterr())


def test_the_end_of_a_text_and_the_models_own_settings_change_nothing(tiny: Tiny, tmp_path: Path) -> None:
    folder = make(tiny(), ORIGINAL, tmp_path / "made", None)
    expected = written(folder)
    config = json.loads((folder / "genai_config.json").read_text())
    config["model"]["eos_token_id"] = expected[:3]
    config["search"] |= {"do_sample": True, "repetition_penalty": 3.0, "num_beams": 4, "min_length": 30, "top_k": 1}
    (folder / "genai_config.json").write_text(json.dumps(config))
    assert written(folder) == expected


def test_text_longer_than_the_context_is_refused(tiny: Tiny) -> None:
    session: Any = open_session(tiny(technique=ORIGINAL), 1, "cpu")
    tokens = np.ones(256, np.int64)
    assert session.run({"tokens": tokens[None]})[0].shape == (1, 256, 640)
    assert len(list(session.generate({"tokens": tokens[:250], "new_tokens": 6}))) == 6
    for ask in (
        lambda: session.run({"tokens": np.ones((1, 257), np.int64)}),
        lambda: list(session.generate({"tokens": tokens[:250], "new_tokens": 7})),
    ):
        with pytest.raises(NotMeasured, match="257 tokens are more than the 256") as caught:
            ask()
        assert caught.value.kind == "data"


@pytest.mark.parametrize("family", ["mistral", "phi3"])
def test_a_window_that_the_builder_leaves_out_is_not_exceeded(tiny: Tiny, family: str) -> None:
    settings = {"sliding_window": 16}
    original = tiny(family, ORIGINAL, **settings)
    expected, _ = reference(tiny(family, **settings), PROMPT[:16])
    assert np.abs(log_probabilities(original, PROMPT[:16]) - expected).max() < 1e-3
    with pytest.raises(NotMeasured, match="17 tokens are more than the 16"):
        log_probabilities(original, PROMPT[:17])


def test_an_inner_matrix_taken_for_the_last_layer_is_noticed(tiny: Tiny, tmp_path: Path) -> None:
    source = tiny("llama", vocab_size=768)
    with pytest.raises(NotMeasured, match="inner matrix for the last layer") as caught:
        make(source, ORIGINAL, tmp_path / "made", None)
    assert caught.value.kind == "unsupported"


@pytest.mark.parametrize("family", ["olmo", "gpt2"])
def test_a_family_that_is_refused_cannot_be_built_or_answers_otherwise(tiny: Tiny, tmp_path: Path, family: str) -> None:
    source = tiny(family)
    assert family in (refuses("int4_weight_only", assess(source), calibrated=False) or "")
    try:
        original = make(source, ORIGINAL, tmp_path / "made", None)
    except NotMeasured as error:
        assert error.kind == "unsupported"
        assert "not currently supported" in str(error)
        return
    assert np.abs(log_probabilities(original) - reference(source)[0]).max() > 1e-3


def test_techniques_for_other_models_are_refused(tiny: Tiny) -> None:
    model = assess(tiny())
    allowed = {technique for technique in TECHNIQUES if refuses(technique, model, calibrated=True) is None}
    assert allowed == {*TEXT, "fp16"}
    assert "int8_weight_only" in (refuses("int8_static", model, calibrated=True) or "")


def test_a_quantized_source_is_refused(tiny: Tiny, tmp_path: Path) -> None:
    source = write_llama(tmp_path / "model", **SIZES)
    config = json.loads((source / "config.json").read_text())
    (source / "config.json").write_text(json.dumps(config | {"quantization_config": {"quant_method": "gptq", "bits": 4}}))
    assert "already quantized" in (refuses("int4_weight_only", assess(source), calibrated=False) or "")


def test_half_precision_is_for_cuda(tiny: Tiny, tmp_path: Path) -> None:
    with pytest.raises(NotMeasured, match="for cuda") as caught:
        make(tiny(), "fp16", tmp_path / "made", tiny(technique=ORIGINAL))
    assert caught.value.kind == "unsupported"


def test_a_device_that_is_not_there_is_said(tiny: Tiny) -> None:
    import onnxruntime_genai

    if onnxruntime_genai.is_cuda_available():
        pytest.skip("this machine has CUDA")
    with pytest.raises(NotMeasured, match="onnxruntime-genai-cuda") as caught:
        open_session(tiny(technique=ORIGINAL), 1, "cuda")
    assert caught.value.kind == "unsupported"


def test_the_device_is_read_back(tiny: Tiny) -> None:
    assert open_session(tiny(technique=ORIGINAL), 1, "cpu").ran_on == "CPU"


@pytest.mark.skipif(sys.platform != "linux", reason="counts threads in /proc")
def test_threads_are_honoured(tiny: Tiny) -> None:
    def added(threads: int) -> int:
        before = len(list(Path("/proc/self/task").iterdir()))
        session: Any = open_session(tiny(technique="int4_weight_only"), threads, "cpu")
        session.run({"tokens": PROMPT[None]})
        return len(list(Path("/proc/self/task").iterdir())) - before

    added(1)  # what is started once for all
    assert [added(1), added(2), added(4)] == [0, 1, 3]


def test_a_damaged_artifact_is_a_broken_model(tiny: Tiny, tmp_path: Path) -> None:
    folder = make(tiny(), ORIGINAL, tmp_path / "made", None)
    (folder / "model.onnx").write_bytes(b"hello")
    with pytest.raises(NotMeasured, match="cannot load") as caught:
        open_session(folder, 1, "cpu")
    assert caught.value.kind == "model"


def test_weights_that_do_not_fit_are_a_model_that_cannot_be_converted(tiny: Tiny, tmp_path: Path) -> None:
    source = write_llama(tmp_path / "model", **SIZES)
    (source / "model.safetensors").write_bytes(b"hello")
    with pytest.raises(NotMeasured, match="cannot convert this model"):
        make(source, ORIGINAL, tmp_path / "made", None)


def test_what_a_leg_needs() -> None:
    assert needs("onnx_runtime", "huggingface").extra == "onnx-runtime-llm"
    assert needs("onnx_runtime", "onnx").extra == "onnx-runtime"
    assert converts("onnx_runtime", "huggingface")
    assert not converts("onnx_runtime", "onnx")
    assert supports("huggingface", "cpu") is None
    assert "gpu" in (supports("huggingface", "gpu") or "")
    assert set(defaults("huggingface", "cpu")) <= set(TEXT)
    assert set(defaults("huggingface", "cuda")) <= {*TEXT, "fp16"}


def test_the_quantizer_s_settings_are_those_named(tiny: Tiny) -> None:
    graph = onnx.load(str(tiny(technique="int4_weight_only") / "model.onnx"), load_external_data=False).graph
    nodes = [node for node in graph.node if node.op_type == "MatMulNBits"]
    settings = [{a.name: onnx.helper.get_attribute_value(a) for a in node.attribute} for node in nodes]
    assert {(s["bits"], s["block_size"], s["accuracy_level"], len(n.input)) for s, n in zip(settings, nodes, strict=True)} == {
        (4, 32, 4, 3)  # no offsets: symmetric
    }
