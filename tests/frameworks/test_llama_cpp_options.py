"""Options of llama.cpp's techniques: each is seen in the artifact by gguf's own reader, or in what transformers computes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gguf
import llama_cpp
import msgspec
import numpy as np
import pytest
import torch
from kit.tiny_llm import VOCABULARY, write_llama
from scipy.special import log_softmax
from transformers import AutoModelForCausalLM

from gatekeeper.data.prepared import write_prepared
from gatekeeper.errors import NotMeasured
from gatekeeper.frameworks import _llama_cpp_imatrix, _transformers
from gatekeeper.frameworks._base import ORIGINAL, OptimizeJob
from gatekeeper.frameworks._llama_cpp_imatrix import importance
from gatekeeper.frameworks._llama_cpp_options import LlamaCppSession, options_for
from gatekeeper.frameworks._llama_cpp_session import LlamaSession, listen
from gatekeeper.frameworks._options import filled
from gatekeeper.frameworks._session import read_session, write_session
from gatekeeper.frameworks.llama_cpp import OPTIONS, TECHNIQUES, open_session, optimize
from gatekeeper.models.files import assess

WINDOWS = np.random.default_rng(3).integers(0, VOCABULARY, (6, 48))


@pytest.fixture(scope="module")
def uneven(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model whose layers are given columns of very different sizes, as large language models are."""
    folder = write_llama(tmp_path_factory.mktemp("uneven"), num_key_value_heads=4)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    generator = torch.Generator().manual_seed(0)
    for layer in model.model.layers:
        for norm in (layer.input_layernorm, layer.post_attention_layernorm):
            norm.weight.data = torch.exp(torch.randn(norm.weight.shape, generator=generator))
    model.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def original(uneven: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same in llama.cpp's form."""
    return make(uneven, ORIGINAL, tmp_path_factory.mktemp("original"))


@pytest.fixture(scope="module")
def tied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model whose last layer is its embeddings, in llama.cpp's form."""
    folder = write_llama(tmp_path_factory.mktemp("tied"), num_hidden_layers=1, tie_word_embeddings=True)
    return make(folder, ORIGINAL, tmp_path_factory.mktemp("tied-original"))


@pytest.fixture(scope="module")
def calibration(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The windows as a prepared calibration set."""
    folder = tmp_path_factory.mktemp("calibration")
    write_prepared(folder, {"tokens": WINDOWS}, None)
    return folder


def make(
    source: Path, technique: str, folder: Path, calibration: Path | None = None, original: Path | None = None, **said: Any
) -> Path:
    """The artifact of a technique with options, made as `make_variant` has it made."""
    folder.mkdir(exist_ok=True)
    options = msgspec.convert(said, options_for(technique)) if technique in OPTIONS else None
    job = OptimizeJob(
        source=source,
        destination=folder,
        technique=technique,
        device="cpu",
        vnni=False,
        calibration=calibration,
        original=original,
        options=options,
    )
    optimize(job)
    if "session" in said:
        write_session(folder, filled(options)["session"])
    return folder


def types(folder: Path) -> dict[str, str]:
    """The type of every matrix in the file, by gguf's reader."""
    tensors = gguf.GGUFReader(folder / "model.gguf").tensors
    return {tensor.name: tensor.tensor_type.name.lower() for tensor in tensors if len(tensor.shape) > 1}


def values(folder: Path) -> dict[str, np.ndarray]:
    """The matrices in the file, as gguf's own code reads them back."""
    tensors = gguf.GGUFReader(folder / "model.gguf").tensors
    return {tensor.name: gguf.dequantize(tensor.data, tensor.tensor_type) for tensor in tensors if len(tensor.shape) > 1}


PROJECTIONS = {
    "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj", "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj",
}  # fmt: skip


def mean_squares(folder: Path, windows: np.ndarray) -> dict[str, np.ndarray]:
    """What transformers gives each projection, as the mean of squares of every column."""
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    heard: dict[str, list[np.ndarray]] = {}

    def listen_to(name: str) -> Callable[..., None]:
        return lambda _, given: heard.setdefault(name, []).append(given[0].detach().numpy().reshape(-1, given[0].shape[-1]))

    for i, layer in enumerate(model.model.layers):
        for ours, theirs in PROJECTIONS.items():
            layer.get_submodule(theirs).register_forward_pre_hook(listen_to(f"blk.{i}.{ours}.weight"))
    with torch.no_grad():
        for window in windows:
            model(torch.from_numpy(window[None]))
    return {name: np.mean(np.square(np.concatenate(parts), dtype=np.float64), axis=0) for name, parts in heard.items()}


def test_importance_is_what_transformers_gives_each_projection(uneven: Path, original: Path) -> None:
    found, expected = importance(original / "model.gguf", WINDOWS, 1), mean_squares(uneven, WINDOWS)
    assert set(found) == set(expected)
    for name, squares in expected.items():
        assert np.abs(found[name] / squares - 1).max() < 0.02, name  # llama.cpp keeps keys and values in half precision
    assert all((each.dtype, each.ndim) == (np.float32, 1) for each in found.values())
    assert np.ptp(np.log(found["blk.0.attn_q.weight"])) > 3


@pytest.mark.parametrize("technique", ["q4_0", "q4_k_m"])
def test_an_importance_matrix_lowers_the_error_that_it_weighs(
    uneven: Path, original: Path, calibration: Path, tmp_path: Path, technique: str
) -> None:
    plain = make(uneven, technique, tmp_path / "plain", calibration, original)
    weighed = make(uneven, technique, tmp_path / "weighed", calibration, original, imatrix=True)
    before, without, having = values(original), values(plain), values(weighed)
    squares = mean_squares(uneven, WINDOWS)

    def error(made: dict[str, np.ndarray], name: str) -> float:
        return float((np.square(made[name] - before[name], dtype=np.float64) * squares[name]).sum())

    ratios = [error(having, name) / error(without, name) for name in squares if types(plain)[name] == types(weighed)[name]]
    assert len(ratios) > 10 and max(ratios) < 1 and np.mean(ratios) < 0.9
    few = make(uneven, technique, tmp_path / "few", calibration, original, imatrix=True, examples=1)
    assert (few / "model.gguf").read_bytes() != (weighed / "model.gguf").read_bytes()


def test_types_of_tensors(uneven: Path, original: Path, tmp_path: Path) -> None:
    usual = types(make(uneven, "q4_0", tmp_path / "usual", None, original))
    said = {"attn_v": "q6_k", "blk.1.ffn_*": "q5_1", "blk.0.attn_q.weight": "f16"}
    made = make(uneven, "q4_0", tmp_path / "made", None, original, output="q8_0", embeddings="q5_k", tensors=said)
    changed = {name: kind for name, kind in types(made).items() if kind != usual[name]}
    assert changed == {
        "output.weight": "q8_0", "token_embd.weight": "q5_k", "blk.0.attn_q.weight": "f16", "blk.0.attn_v.weight": "q6_k",
        "blk.1.attn_v.weight": "q6_k", "blk.1.ffn_down.weight": "q5_1", "blk.1.ffn_gate.weight": "q5_1",
        "blk.1.ffn_up.weight": "q5_1",
    }  # fmt: skip
    assert open_session(made, 1, "cpu").run({"tokens": WINDOWS[:1]})[0].shape == (1, 48, VOCABULARY)


@pytest.mark.parametrize("key", ["output", "embeddings"])
def test_of_tied_embeddings_either_name_says_the_type(tied: Path, tmp_path: Path, key: str) -> None:
    assert "output.weight" not in types(tied)
    assert types(make(tied / "model.gguf", "q4_0", tmp_path / "made", **{key: "q5_0"}))["token_embd.weight"] == "q5_0"
    with pytest.raises(NotMeasured, match=r"are one thing\. Name one"):
        make(tied / "model.gguf", "q4_0", tmp_path / "both", output="q8_0", embeddings="q5_0")


@pytest.mark.parametrize(
    ("technique", "said", "expected"),
    [
        (
            "q4_0",
            {"tensors": {"atn_v": "q8_0"}},
            r"tensors 'atn_v' matches no tensor; did you mean 'attn_v'\? The model has",
        ),
        ("q4_0", {"tensors": {"blk.7.*": "q8_0"}}, r"'blk\.7\.\*' matches no tensor"),
        (
            "q4_0",
            {"tensors": {"attn_v": "q8_0", "blk.0.*": "q6_k"}},
            "both mean 'blk.0.attn_v.weight', .* q8_0 and q6_k",
        ),
        ("q4_0", {"tensors": {"output": "q8_0"}, "output": "q6_k"}, "tensors 'output' and output both mean 'output.weight'"),
        ("q4_0", {"imatrix": True, "examples": 7}, "`examples` is 7, and the calibration set has 6 windows"),
    ],
)
def test_what_is_asked_for_and_not_there(
    uneven: Path, original: Path, calibration: Path, tmp_path: Path, technique: str, said: dict[str, Any], expected: str
) -> None:
    with pytest.raises(NotMeasured, match=expected):
        make(uneven, technique, tmp_path / "made", calibration, original, **said)
    assert not (tmp_path / "made" / "model.gguf").exists()


def test_a_type_that_does_not_divide_a_row(tmp_path: Path) -> None:
    source = write_llama(tmp_path / "model", num_hidden_layers=1, intermediate_size=288)
    folder = make(source, ORIGINAL, tmp_path / "original")
    with pytest.raises(NotMeasured, match=r"q6_k needs rows .* multiple of 256, and 'blk.0.ffn_down.weight' has rows of 288"):
        make(source, "q8_0", tmp_path / "made", None, folder, tensors={"ffn_down": "q6_k"})


def test_an_importance_matrix_without_calibration(uneven: Path, original: Path, tmp_path: Path) -> None:
    with pytest.raises(NotMeasured, match=r"needs `dataset\.calibration`"):
        make(uneven, "q4_0", tmp_path / "made", None, original, imatrix=True)


def test_a_model_with_experts_is_refused(original: Path, tmp_path: Path) -> None:
    """Each expert would need a matrix of its own, of the tokens that are given to it."""
    reader, path = gguf.GGUFReader(original / "model.gguf"), tmp_path / "experts.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    for field in reader.fields.values():
        if field.name.startswith("llama."):
            writer.add_key_value(field.name, field.contents(), field.types[0])
    writer.add_expert_count(2)
    writer.add_expert_used_count(1)
    writer.add_tokenizer_model("none")
    for tensor in reader.tensors:
        layer, _, kind = tensor.name.rpartition(".ffn_")
        if kind in ("up.weight", "gate.weight", "down.weight"):
            writer.add_tensor(f"{layer}.ffn_{kind.replace('.', '_exps.')}", np.stack([tensor.data, tensor.data[::-1]]))
        else:
            writer.add_tensor(tensor.name, tensor.data)
        if kind == "up.weight":
            writer.add_tensor(f"{layer}.ffn_gate_inp.weight", np.eye(2, tensor.data.shape[1], dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    assert np.isfinite(open_session(path, 1, "cpu").run({"tokens": WINDOWS[:1]})[0]).all()
    with pytest.raises(NotMeasured, match="model with experts"):
        importance(path, WINDOWS, 1)


def test_tensors_laid_out_in_another_way_are_not_read(original: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _llama_cpp_imatrix._ggml.cache_clear()
    monkeypatch.setattr(_llama_cpp_imatrix, "_OBJECT_BYTES", 40)
    with pytest.raises(NotMeasured, match="lays its tensors out in another way"):
        importance(original / "model.gguf", WINDOWS, 1)
    _llama_cpp_imatrix._ggml.cache_clear()


def test_what_fails_while_listening_is_raised(original: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A callback of C's must not lose it."""

    def fail(*_: object) -> None:
        raise MemoryError("no room")

    monkeypatch.setattr(_llama_cpp_imatrix.Listener, "_add", fail)
    with pytest.raises(MemoryError, match="no room"):
        importance(original / "model.gguf", WINDOWS, 1)


def test_how_it_is_opened_is_what_llama_cpp_has(uneven: Path, original: Path, tmp_path: Path) -> None:
    said = {"kv_cache": "q8_0", "context": 256, "batch": 64, "threads": 1}
    artifact = make(uneven, "q8_0", tmp_path / "made", None, original, session=said)
    assert json.loads((artifact / "session.json").read_text()) == said
    session = open_session(artifact, 2, "cpu")
    session.run({"tokens": WINDOWS[:1, :5]})
    context = session._handles.context
    assert llama_cpp.llama_n_ctx(context) == 256
    assert (llama_cpp.llama_n_batch(context), llama_cpp.llama_n_ubatch(context)) == (64, 64)
    assert (llama_cpp.llama_n_threads(context), llama_cpp.llama_n_threads_batch(context)) == (1, 1)
    assert any("K (q8_0)" in line and "V (q8_0)" in line for line in listen().lines)
    more = make(uneven, "q8_0", tmp_path / "more", None, original, session={"threads": 3})
    with pytest.raises(NotMeasured, match="asks for 3 threads, and the target has 2"):
        open_session(more, 2, "cpu")


def test_a_technique_whose_name_says_the_cache_keeps_it_beside_other_settings(
    uneven: Path, original: Path, tmp_path: Path
) -> None:
    artifact = make(uneven, "q8_0_kv_q4_0", tmp_path / "made", None, original, session={"context": 256})
    assert read_session(artifact, LlamaCppSession) == LlamaCppSession(kv_cache="q4_0", context=256)
    with pytest.raises(msgspec.ValidationError, match="kv_cache"):
        msgspec.convert({"session": {"kv_cache": "f16"}}, OPTIONS["q8_0_kv_q4_0"])


def test_a_full_context_forgets_its_older_half(tmp_path: Path) -> None:
    """Of one layer, keys and values depend on their own token alone: what is left answers as if there had been nothing before."""
    source = write_llama(tmp_path / "model", num_hidden_layers=1, max_position_embeddings=1024)
    model = make(source, ORIGINAL, tmp_path / "original")
    tokens = np.random.default_rng(5).integers(0, VOCABULARY, 600)
    session = LlamaSession(model / "model.gguf", 1, "cpu", LlamaCppSession(context=256))
    [found] = session.run({"tokens": tokens[None]})
    assert llama_cpp.llama_n_ctx(session._handles.context) == 256

    def reference(given: np.ndarray) -> Any:
        return log_softmax(_transformers.open_session(source, 1, "cpu").run({"tokens": given[None]})[0][0], -1)

    found = log_softmax(found[0], -1)
    # In steps of 128: the first two see all that came before, each later one the 128 tokens before it.
    assert np.abs(found[:256] - reference(tokens[:256])).max() < 2e-3
    assert np.abs(found[256:384] - reference(tokens[128:384])[128:]).max() < 2e-3
    assert np.abs(found[512:] - reference(tokens[384:])[128:]).max() < 2e-3
    assert np.abs(found[512:] - reference(tokens)[512:]).max() > 0.01  # the oracle tells a context from a shorter one
    written = list(session.generate({"tokens": tokens[:200], "new_tokens": 80}))
    whole = np.append(tokens[:200], written)
    # The context was full at 256 tokens, of which 128 stayed.
    assert written[60] == reference(whole[128:260])[-1].argmax()
    assert written[50] == reference(whole[:250])[-1].argmax()
    with pytest.raises(NotMeasured, match=r"context of 2048 tokens, and model\.gguf knows 1024"):
        LlamaSession(model / "model.gguf", 1, "cpu", LlamaCppSession(context=2048))


def test_context_batch_and_cache_say_what_memory_is_taken(tied: Path, tmp_path: Path) -> None:
    """By what llama.cpp says it allocates: its caches, and what it computes with."""
    source = make(write_llama(tmp_path / "m", num_hidden_layers=2, max_position_embeddings=4096), ORIGINAL, tmp_path / "o")

    def taken(**settings: Any) -> tuple[float, float]:
        listen().clear()
        LlamaSession(source / "model.gguf", 1, "cpu", LlamaCppSession(**settings)).run({"tokens": WINDOWS[:1]})
        text = [line for line in listen().lines if "buffer size =" in line]
        sizes = {
            kind: sum(float(line.split("size =")[1].split()[0]) for line in text if kind in line) for kind in (" KV ", "compute")
        }
        return sizes[" KV "], sizes["compute"]

    long, short, small = taken(context=4096), taken(context=1024), taken(context=4096, kv_cache="q4_0")
    assert long[0] == pytest.approx(4 * short[0]) and long[0] > 3 * small[0]
    assert taken(context=1024, batch=512)[1] > 2 * taken(context=1024, batch=64)[1]


def test_options_that_no_model_or_technique_takes(tied: Path, original: Path) -> None:
    kind = options_for("q4_0")
    assert not list(msgspec.convert({"imatrix": True, "examples": 3}, kind).wrong())
    [(field, said)] = msgspec.convert({"examples": 3}, kind).wrong()
    assert field == "examples" and "imatrix: true" in said
    model = assess(original / "model.gguf")
    session = msgspec.convert({"session": {"context": 512}}, kind)
    assert "context of 512 tokens, and the model knows 256" in (session.unfit("q4_0", model) or "")
    assert msgspec.convert({"session": {"context": 256, "kv_cache": "q4_0"}}, kind).unfit("q4_0", model) is None
    for wrong in ({"context": 300}, {"context": 128}, {"kv_cache": "q5_0"}, {"batch": 0}, {"cache": "q8_0"}):
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert({"session": wrong}, kind)
    for technique, said in {"q8_0": {"imatrix": True}, "f16": {"output": "q8_0"}}.items():
        with pytest.raises(msgspec.ValidationError, match="unknown field"):
            msgspec.convert(said, options_for(technique))
    assert set(OPTIONS) == set(TECHNIQUES)
