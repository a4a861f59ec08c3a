"""Text models in OpenVINO: the original answers as transformers does, variants are what they say, and the rest is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import gguf
import llama_cpp
import numpy as np
import openvino
import pytest
from kit.families import representative
from kit.lazily import Lazily
from kit.tiny_llm import VOCABULARY, write_llama
from scipy.special import log_softmax

from gatekeeper.errors import NotMeasured
from gatekeeper.frameworks import _transformers
from gatekeeper.frameworks._base import ORIGINAL, OptimizeJob, converts, framework, needs
from gatekeeper.frameworks._gguf import write_gguf
from gatekeeper.frameworks._openvino_text import FAMILIES, MODEL
from gatekeeper.frameworks._openvino_text import TECHNIQUES as TEXT_TECHNIQUES
from gatekeeper.frameworks.openvino import TECHNIQUES, defaults, open_session, optimize, refuses, supports
from gatekeeper.hardware.machine import this_machine
from gatekeeper.models.files import assess
from gatekeeper.models.formats.openvino_ir import inspect as inspect_ir

tensors_of = Lazily("safetensors.torch")
torch = Lazily("torch")

TOKENS = np.random.default_rng(0).integers(0, VOCABULARY, 100)
PROMPT = TOKENS[:40]
Made = tuple[Path, Path]


def write(folder: Path, family: str = "llama", **settings: Any) -> Path:
    """A folder whose weights matter: large matrices, norms other than 1 and biases other than 0. One layer is quickly traced."""
    write_llama(folder, family, **{"initializer_range": 0.1, "num_hidden_layers": 1} | settings)
    tensors = tensors_of.load_file(folder / "model.safetensors")
    torch.manual_seed(1)
    for name, tensor in tensors.items():
        if tensor.ndim == 1:
            tensors[name] = tensor + 0.2 * torch.randn_like(tensor)
    tensors_of.save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def make(source: Path, technique: str, destination: Path, original: Path | None = None) -> Path:
    destination.mkdir()
    optimize(OptimizeJob(source, destination, technique, "cpu", vnni=True, calibration=None, original=original))
    return destination


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A folder, and what OpenVINO makes of it."""
    root = tmp_path_factory.mktemp("llama")
    source = write(root / "source", num_hidden_layers=2)
    return source, make(source, ORIGINAL, root / "original")


@pytest.fixture(scope="module")
def variant(llama: Made) -> Callable[[str], Path]:
    """`variant(technique)` of the folder `llama`, each made once."""

    def made(technique: str) -> Path:
        folder = llama[1].parent / technique
        return folder if folder.exists() else make(llama[0], technique, folder, llama[1])

    return made


def expected(source: Path, tokens: Any = TOKENS) -> Any:
    """Log-probabilities of transformers."""
    return log_softmax(_transformers.open_session(source, 1, "cpu").run({"tokens": tokens[None]})[0][0], -1)


def answers(model: Path, tokens: Any = TOKENS) -> Any:
    [logits] = open_session(model, 1, "cpu").run({"tokens": tokens[None]})
    assert logits.shape == (1, len(tokens), VOCABULARY) and logits.dtype == np.float32
    return log_softmax(logits[0], -1)


def written(model: Path, count: int, prompt: Any = PROMPT) -> list[int]:
    session: Any = open_session(model, 1, "cpu")
    return list(session.generate({"tokens": prompt, "new_tokens": count}))


def check(made: Path, reference: Path) -> None:
    """The prompt in one go and token by token, against transformers."""
    ours: Any = open_session(made, 1, "cpu")
    theirs = _transformers.open_session(reference, 1, "cpu")
    found, wanted = (log_softmax(s.run({"tokens": TOKENS[None]})[0][0], -1) for s in (ours, theirs))
    assert np.abs(found - wanted).max() < 1e-3
    tokens = list(ours.generate({"tokens": PROMPT, "new_tokens": 30}))
    whole = np.concatenate([PROMPT, tokens])
    following = theirs.run({"tokens": whole[None]})[0][0][len(PROMPT) - 1 : -1]
    behind = following.max(axis=1) - following[np.arange(30), tokens]
    assert (behind < 1e-3).all(), "each token is the likeliest of transformers as well"


LLAMA3 = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "rope_theta": 5e5,
          "original_max_position_embeddings": 64}  # fmt: skip
LONG = {"rope_type": "longrope", "rope_theta": 1e4, "long_factor": [2.0 + i / 8 for i in range(32)],
        "short_factor": [1.0] * 32, "original_max_position_embeddings": 64, "factor": 4.0}  # fmt: skip
YARN = {"rope_type": "yarn", "factor": 4.0, "rope_theta": 1e6, "original_max_position_embeddings": 64}
PART = {"rope_type": "default", "rope_theta": 1e4, "partial_rotary_factor": 0.5}
BIASES = {"attention_bias": True, "mlp_bias": True}
MODELS: dict[str, dict[str, Any]] = {
    "granite": {"family": "granite"},
    "llama 3.1, biases": {"rope_parameters": LLAMA3, **BIASES},
    "mistral with a window": {"family": "mistral", "sliding_window": 16, "dtype": "bfloat16"},
    "olmo2": {"family": "olmo2"},
    "phi3 with a window": {"family": "phi3", "sliding_window": 16},
    "phi3, long and short factors": {"family": "phi3", "rope_parameters": LONG},
    "qwen2, shared embeddings": {"family": "qwen2", "tie_word_embeddings": True},
    "qwen2, a window in one layer": {
        "family": "qwen2", "use_sliding_window": True, "sliding_window": 16, "max_window_layers": 1, "num_hidden_layers": 2,
    },
    "qwen3, yarn": {"family": "qwen3", "rope_parameters": YARN},
    "smollm3": {"family": "smollm3"},
}  # fmt: skip


def test_the_original_answers_as_transformers_does(llama: Made) -> None:
    check(llama[1], llama[0])


@pytest.mark.parametrize("name", representative(MODELS))
def test_every_family_and_setting_answers_as_transformers_does(tmp_path: Path, name: str) -> None:
    source = write(tmp_path / "source", **MODELS[name])
    assert refuses(ORIGINAL, assess(source), calibrated=False) is None
    check(make(source, ORIGINAL, tmp_path / "original"), source)


GGUF: dict[str, dict[str, Any]] = {
    "llama 3.1, biases": MODELS["llama 3.1, biases"],
    "mistral": {"family": "mistral", "sliding_window": None, "dtype": "bfloat16"},
    "phi3, a part of each head": {"family": "phi3", "rope_parameters": PART},
    "phi3, long and short factors": MODELS["phi3, long and short factors"],
    "qwen2, shared embeddings": MODELS["qwen2, shared embeddings"],
    "qwen3, yarn": MODELS["qwen3, yarn"],
}


def test_every_family_is_tried_here() -> None:
    tried = ({settings.get("family", "llama") for settings in models.values()} for models in (MODELS, GGUF))
    assert dict(zip(("huggingface", "gguf"), map(sorted, tried), strict=True)) == {k: sorted(v) for k, v in FAMILIES.items()}


@pytest.mark.parametrize("name", representative(GGUF))
def test_a_gguf_answers_as_the_folder_it_was_made_from(tmp_path: Path, name: str) -> None:
    folder, file = write(tmp_path / "source", **GGUF[name]), tmp_path / "model.gguf"
    write_gguf(folder, file)
    assert refuses(ORIGINAL, assess(file), calibrated=False) is None
    check(make(file, ORIGINAL, tmp_path / "original"), folder)


def quantized_gguf(source: Path, folder: Path) -> Path:
    """Q8_0, by llama.cpp."""
    file, target = folder / "model.gguf", folder / "q8_0.gguf"
    write_gguf(source, file)
    params = llama_cpp.llama_model_quantize_default_params()
    params.ftype = llama_cpp.LLAMA_FTYPE_MOSTLY_Q8_0
    assert llama_cpp.llama_model_quantize(str(file).encode(), str(target).encode(), params) == 0
    return target


def test_a_quantized_gguf_is_run_as_it_is_and_not_quantized_again(llama: Made, tmp_path: Path) -> None:
    file = quantized_gguf(llama[0], tmp_path)
    for technique in TEXT_TECHNIQUES:
        assert "already quantized" in (refuses(technique, assess(file), calibrated=False) or "")
    assert refuses(ORIGINAL, assess(file), calibrated=False) is None
    made = make(file, ORIGINAL, tmp_path / "original")
    tensors = {tensor.name: tensor for tensor in gguf.GGUFReader(file).tensors}
    stored = gguf.dequantize(tensors["output.weight"].data, tensors["output.weight"].tensor_type)
    constants = openvino.Core().read_model(made / MODEL).get_ops()
    assert any(
        c.get_type_name() == "Constant" and c.data.shape == stored.shape and np.array_equal(c.data, stored) for c in constants
    )
    assert 0.001 < np.abs(answers(made) - expected(llama[0])).max() < 1


CLOSE = {"fp16": 0.01, "int8_weight_only": 0.05, "int4_weight_only": 1.0}  # KL divergence, on weights of random numbers
KEPT = {"fp16": "float16", "int8_weight_only": "uint8", "int4_weight_only": "int4"}
SHARE = {"fp16": 0.55, "int8_weight_only": 0.32, "int4_weight_only": 0.22}  # of the original's bytes; graph and norms included


@pytest.mark.parametrize(
    "technique",
    [pytest.param(name, marks=() if name == "int4_weight_only" else pytest.mark.thorough) for name in TEXT_TECHNIQUES],
)
def test_a_variant_is_smaller_close_and_what_it_says(llama: Made, variant: Callable[[str], Path], technique: str) -> None:
    source, original = llama
    assert refuses(technique, assess(source), calibrated=False) is None
    made = variant(technique)
    assert sorted(f.name for f in made.iterdir()) == ["openvino_model.bin", "openvino_model.xml"]
    weights = inspect_ir(made / MODEL).weights
    assert max(weights, key=weights.__getitem__) == KEPT[technique]
    matrices = sum(t.numel() for t in tensors_of.load_file(source / "model.safetensors").values() if t.ndim == 2)
    assert sum(weights.get(kind, 0) for kind in ("float16", "uint8", "int8", "int4")) >= matrices
    size, whole = (sum(f.stat().st_size for f in folder.glob("*.bin")) for folder in (made, original))
    assert size < SHARE[technique] * whole
    before, after = expected(source), answers(made)
    assert 0 < (np.exp(before) * (before - after)).sum(axis=1).mean() < CLOSE[technique]
    assert len(written(made, 5)) == 5


def test_half_precision_keeps_the_angles_of_far_positions(tmp_path: Path) -> None:
    """Rotary frequencies in 16 bits would be a radian off after some thousand tokens."""
    source = write(tmp_path / "source", max_position_embeddings=4096)
    original = make(source, ORIGINAL, tmp_path / "original")
    tokens = np.random.default_rng(0).integers(0, VOCABULARY, 3000)
    before = answers(original, tokens)
    after = answers(make(source, "fp16", tmp_path / "fp16", original), tokens)
    distance = (np.exp(before) * (before - after)).sum(axis=1)
    assert distance[-256:].mean() < max(5 * distance[:256].mean(), 1e-4)


def test_every_text_technique_has_a_tolerance_here() -> None:
    assert set(CLOSE) == set(TEXT_TECHNIQUES) < set(TECHNIQUES)
    for model_format in ("huggingface", "gguf"):
        assert set(defaults(model_format, "cpu")) <= set(TEXT_TECHNIQUES)


def test_the_original_is_exact_and_variants_run_as_openvino_does_by_default(llama: Made, variant: Callable[[str], Path]) -> None:
    names = ("INFERENCE_PRECISION_HINT", "KV_CACHE_PRECISION", "DYNAMIC_QUANTIZATION_GROUP_SIZE")
    session: Any = open_session(llama[1], 1, "cpu")
    full = openvino.Type.f32
    assert [session._model.get_property(name) for name in names] == [full, full, 0]
    usual = openvino.compile_model(str(llama[1] / MODEL), "CPU")
    session = open_session(variant("int8_weight_only"), 1, "cpu")
    for name in names:
        assert session._model.get_property(name) == usual.get_property(name)


def test_every_text_starts_from_an_empty_context(llama: Made) -> None:
    session: Any = open_session(llama[1], 1, "cpu")
    feed = {"tokens": PROMPT, "new_tokens": 8}
    first = list(session.generate(feed))
    logits = session.run({"tokens": TOKENS[None]})[0]
    assert list(islice(session.generate(feed), 3)) == first[:3], "a text that nobody reads to its end"
    again = session.run({"tokens": TOKENS[None]})[0]
    assert np.array_equal(logits, again)
    assert list(session.generate(feed)) == first
    assert all(type(token) is int for token in first)


def test_later_calls_do_not_overwrite_answers(llama: Made) -> None:
    session = open_session(llama[1], 1, "cpu")
    [first] = session.run({"tokens": TOKENS[None]})
    kept = first.copy()
    session.run({"tokens": TOKENS[None, ::-1]})
    assert np.array_equal(first, kept)


def test_a_token_costs_one_position_and_a_prompt_one_row_of_logits(llama: Made) -> None:
    """Else the time to the first token would hold work nobody asks a language model for."""
    session: Any = open_session(llama[1], 1, "cpu")
    shapes = []
    for _ in session.generate({"tokens": PROMPT, "new_tokens": 3}):
        request = session._request
        shapes.append((request.get_tensor("input_ids").shape[1], request.get_output_tensor(0).shape[1]))
    assert shapes == [(len(PROMPT), 1), (1, 1), (1, 1)]


def test_what_ran_is_read_back(llama: Made) -> None:
    cores = openvino.Core().get_property("CPU", "RANGE_FOR_STREAMS")[1]
    assert open_session(llama[1], 1, "cpu").ran_on == "CPU"  # type: ignore[attr-defined]
    many: Any = open_session(llama[1], cores + 1, "cpu")
    assert many.ran_on.endswith(f" of {cores + 1} threads")


def test_nothing_is_printed_to_standard_output(llama: Made, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    original = make(llama[0], ORIGINAL, tmp_path / "original")
    written(make(llama[0], "int4_weight_only", tmp_path / "int4", original), 2)
    assert capfd.readouterr().out == ""


def test_artifacts_need_nothing_outside_their_folder(tmp_path: Path) -> None:
    source = write(tmp_path / "source")
    original = make(source, ORIGINAL, tmp_path / "original")
    made = make(source, "int8_weight_only", tmp_path / "int8", original)
    before = written(made, 5)
    for folder in (source, original):
        folder.rename(tmp_path / f"{folder.name}-gone")
    assert written(made, 5) == before


# What is refused, and that it is rightly refused.


@pytest.mark.parametrize("family", ["gemma2", "gpt2", "bloom"])
def test_a_family_that_is_not_known_is_refused(tmp_path: Path, family: str) -> None:
    source = write_llama(tmp_path / "source", family)
    for technique in (ORIGINAL, *TEXT_TECHNIQUES):
        reason = refuses(technique, assess(source), calibrated=True) or ""
        assert "llama" in reason and reason.endswith(f"not {family}")


def test_families_are_those_of_the_format(tmp_path: Path) -> None:
    found = assess(write(tmp_path / "source", "granite"))
    assert refuses("int8_weight_only", found, calibrated=False) is None
    with pytest.raises(NotMeasured):
        write_gguf(tmp_path / "source", tmp_path / "model.gguf")


@pytest.mark.parametrize("technique", sorted(set(TECHNIQUES) - set(TEXT_TECHNIQUES)))
def test_techniques_that_calibrate_are_not_for_text(llama: Made, technique: str) -> None:
    assert "text models take fp16" in (refuses(technique, assess(llama[0]), calibrated=True) or "")


@pytest.mark.parametrize(("hidden", "possible"), [(80, False), (96, True)])
def test_four_bits_need_rows_that_a_group_divides(tmp_path: Path, hidden: int, possible: bool) -> None:
    source = write(tmp_path / "source", hidden_size=hidden, intermediate_size=144, head_dim=20)
    reason = refuses("int4_weight_only", assess(source), calibrated=False)
    original = make(source, ORIGINAL, tmp_path / "original")
    if possible:
        assert reason is None
        assert inspect_ir(make(source, "int4_weight_only", tmp_path / "int4", original) / MODEL).weights["int4"] > 0
        return
    assert reason == "it groups weights by 32 or more, which divides no row of this model (lengths 80, 144)"
    with pytest.raises(NotMeasured, match="changed nothing") as caught:
        make(source, "int4_weight_only", tmp_path / "int4", original)
    assert caught.value.kind == "unsupported"


@pytest.mark.parametrize(("device", "reason"), [
    ("npu", "not on npu"), ("auto", "not on auto"), ("cuda", "not on cuda"), ("cpu:throughput", "one token after another"),
])  # fmt: skip
def test_devices_that_do_not_run_text_are_refused(llama: Made, device: str, reason: str) -> None:
    for model_format in ("huggingface", "gguf"):
        assert reason in (supports(model_format, device) or "")
        assert supports(model_format, "cpu") is None
    with pytest.raises(NotMeasured, match=reason) as caught:
        open_session(llama[1], 1, device)
    assert caught.value.kind == "unsupported"


def test_a_device_that_is_not_there_is_not_measured(llama: Made) -> None:
    if any(name.startswith("GPU") for name in openvino.Core().available_devices):
        pytest.skip("this machine has an Intel GPU")
    with pytest.raises(NotMeasured, match="finds no GPU"):
        open_session(llama[1], 1, "gpu")


def edit(folder: Path, **changes: Any) -> None:
    file = folder / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def test_positions_that_depend_on_the_length_are_refused(tmp_path: Path) -> None:
    rope = {"rope_type": "dynamic", "rope_theta": 1e4, "factor": 4.0}
    source = write(tmp_path / "source", rope_parameters=rope)
    with pytest.raises(NotMeasured, match="depend on the length of the text") as caught:
        make(source, ORIGINAL, tmp_path / "original")
    assert caught.value.kind == "unsupported"


def test_a_quantized_folder_is_refused(tmp_path: Path) -> None:
    source = write(tmp_path / "source")
    edit(source, quantization_config={"quant_method": "fp8"})
    with pytest.raises(NotMeasured, match="already quantized"):
        make(source, ORIGINAL, tmp_path / "original")


@pytest.mark.parametrize("from_gguf", [False, True])
def test_weights_that_are_not_there_are_not_made_up(tmp_path: Path, from_gguf: bool) -> None:
    source = write(tmp_path / "source")
    if from_gguf:
        write_gguf(source, tmp_path / "whole.gguf")
        source = tmp_path / "part.gguf"
        _without(tmp_path / "whole.gguf", source, "blk.0.ffn_up.weight")
    else:
        tensors = tensors_of.load_file(source / "model.safetensors")
        del tensors["model.layers.0.mlp.up_proj.weight"]
        tensors_of.save_file(tensors, source / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(NotMeasured, match=r"lacks 1 tensors, model\.layers\.0\.mlp\.up_proj\.weight") as caught:
        make(source, ORIGINAL, tmp_path / "original")
    assert caught.value.kind == "model"


def _without(source: Path, target: Path, name: str) -> None:
    """A .gguf less one tensor."""
    reader, writer = gguf.GGUFReader(source), gguf.GGUFWriter(target, "llama")
    for field in reader.fields.values():
        if not field.name.startswith("GGUF.") and field.name != "general.architecture":
            kind = field.types[0]
            writer.add_key_value(
                field.name, field.contents(), kind, field.types[-1] if kind is gguf.GGUFValueType.ARRAY else None
            )
    for tensor in reader.tensors:
        if tensor.name != name:
            writer.add_tensor(tensor.name, tensor.data)
    for step in (writer.write_header_to_file, writer.write_kv_data_to_file, writer.write_tensors_to_file, writer.close):
        step()


def test_tensors_with_no_place_are_not_left_out(tmp_path: Path) -> None:
    """A model that is more than its configuration says would answer something else."""
    write_gguf(write(tmp_path / "source"), tmp_path / "whole.gguf")
    reader, target = gguf.GGUFReader(tmp_path / "whole.gguf"), tmp_path / "more.gguf"
    _without(tmp_path / "whole.gguf", target, "")
    assert len(gguf.GGUFReader(target).tensors) == len(reader.tensors)
    data = target.read_bytes().replace(b"blk.0.ffn_up.weight", b"blk.0.ffn_xx.weight")
    target.write_bytes(data)
    with pytest.raises(NotMeasured, match="1 tensors have no place in llama"):
        make(target, ORIGINAL, tmp_path / "original")


def test_a_model_whose_weights_are_gone_is_not_measured(llama: Made, tmp_path: Path) -> None:
    (tmp_path / MODEL).write_bytes((llama[1] / MODEL).read_bytes())
    with pytest.raises(NotMeasured, match="cannot load the model") as caught:
        open_session(tmp_path, 1, "cpu")
    assert caught.value.kind == "model" and "\n" not in str(caught.value)


def test_the_form_is_filled() -> None:
    for model_format in ("huggingface", "gguf"):
        assert converts("openvino", model_format)
        wanted = needs("openvino", model_format)
        assert wanted.extra == "openvino-llm" and {"openvino", "nncf", "torch", "transformers"} < set(wanted.packages)
    assert not converts("openvino", "onnx")
    assert framework("openvino").HINTS == ("throughput",)  # type: ignore[attr-defined]
    assert this_machine().cores >= 1
