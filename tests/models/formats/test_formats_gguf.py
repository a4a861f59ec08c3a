"""The GGUF inspector on files the gguf package and llama.cpp wrote, on damaged ones, and on ones that want to be trouble."""

from __future__ import annotations

import ctypes
import struct
import time
import tracemalloc
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from gatekeeper.errors import NotMeasured
from gatekeeper.models.files import assess
from gatekeeper.models.formats.gguf import TYPES, inspect

HIDDEN, INTERMEDIATE, VOCABULARY, LAYERS = 256, 512, 300, 2
RANDOM = np.random.default_rng(0)


def write(path: Path, tensors: dict[str, Any], architecture: str = "llama", **values: Any) -> Path:
    """A file as the gguf package writes it; `values` are metadata, `__` stands for a dot."""
    writer = gguf.GGUFWriter(path, architecture)
    for key, value in values.items():
        name = key.replace("__", ".")
        if isinstance(value, bool):
            writer.add_bool(name, value)
        elif isinstance(value, int):
            writer.add_uint32(name, value)
        elif isinstance(value, str):
            writer.add_string(name, value)
        elif isinstance(value, float):
            writer.add_float32(name, value)
        else:
            writer.add_array(name, value)
    for name, tensor in tensors.items():
        raw = gguf.GGMLQuantizationType.BF16 if tensor.dtype == np.uint16 else None
        writer.add_tensor(name, tensor.view(np.uint8) if raw else tensor, raw_dtype=raw)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def matrix(*shape: int, dtype: Any = np.float32) -> Any:
    return RANDOM.standard_normal(shape).astype(dtype)


def llama_tensors(dtype: Any = np.float32) -> dict[str, Any]:
    found = {"token_embd.weight": matrix(VOCABULARY, HIDDEN, dtype=dtype), "output_norm.weight": matrix(HIDDEN)}
    for i in range(LAYERS):
        shapes = {
            "attn_q": (HIDDEN, HIDDEN), "attn_k": (128, HIDDEN), "attn_v": (128, HIDDEN), "attn_output": (HIDDEN, HIDDEN),
            "ffn_gate": (INTERMEDIATE, HIDDEN), "ffn_up": (INTERMEDIATE, HIDDEN), "ffn_down": (HIDDEN, INTERMEDIATE),
        }  # fmt: skip
        found |= {f"blk.{i}.{name}.weight": matrix(*shape, dtype=dtype) for name, shape in shapes.items()}
        found |= {f"blk.{i}.{name}.weight": matrix(HIDDEN) for name in ("attn_norm", "ffn_norm")}
    return found | {"output.weight": matrix(VOCABULARY, HIDDEN, dtype=dtype)}


def llama_values(name: str = "llama") -> dict[str, Any]:
    return {
        f"{name}__block_count": LAYERS,
        f"{name}__context_length": 128,
        f"{name}__embedding_length": HIDDEN,
        f"{name}__feed_forward_length": INTERMEDIATE,
        f"{name}__attention__head_count": 4,
        f"{name}__attention__head_count_kv": 2,
        f"{name}__attention__layer_norm_rms_epsilon": 1e-6,
        f"{name}__rope__dimension_count": 64,
        "tokenizer__ggml__model": "gpt2",
        "tokenizer__ggml__pre": "gpt-2",
        "tokenizer__ggml__tokens": [f"t{i}" for i in range(VOCABULARY)],
        "tokenizer__ggml__merges": ["t 1"],
        "tokenizer__ggml__token_type": [1] * VOCABULARY,
        "tokenizer__ggml__eos_token_id": 2,
        "tokenizer__chat_template": "{{ x }}" * 2000,
    }


def llama(path: Path, dtype: Any = np.float32) -> Path:
    """A Llama that llama.cpp opens."""
    return write(path, llama_tensors(dtype), **llama_values())


@pytest.mark.parametrize(("dtype", "name"), [(np.float32, "float32"), (np.float16, "float16"), (np.uint16, "bfloat16")])
def test_it_says_what_was_written(tmp_path: Path, dtype: Any, name: str) -> None:
    path = llama(tmp_path / "m.gguf", dtype)
    found = assess(path)
    counts = [tensor.size for tensor in llama_tensors().values()]
    assert (found.format, found.architecture, found.quantized, found.opset) == ("gguf", "transformer", False, {"gguf": 3})
    assert found.parameters == sum(counts)
    assert found.weights == dict([(name, sum(counts))] if name == "float32" else [(name, sum(counts) - 1280), ("float32", 1280)])
    assert found.files == [str(path)]
    assert found.bytes == path.stat().st_size
    assert found.weighted_operators == {"MatMul": 15, "Gather": 1}
    assert found.largest_matrix == [INTERMEDIATE, HIDDEN]
    assert [(t.name, t.dtype, t.shape) for t in found.inputs] == [("tokens", "int64", ["batch", "sequence"])]
    assert [(t.name, t.dtype, t.shape) for t in found.outputs] == [("logits", "float32", ["batch", "sequence", VOCABULARY])]
    text = found.text
    assert text is not None
    assert (text.family, text.dtype, text.vocabulary, text.context) == ("llama", name, VOCABULARY, 128)
    assert (text.layers, text.hidden, text.heads, text.kv_heads) == (LAYERS, HIDDEN, 4, 2)
    assert (text.row_lengths, text.tokenizer, text.end) == ([HIDDEN, INTERMEDIATE], "gpt2", [2])


@pytest.mark.parametrize(
    ("kind", "name"),
    [("Q4_K_M", "q4_k"), ("Q8_0", "q8_0"), ("Q4_0", "q4_0"), ("Q2_K", "q2_k"), ("IQ4_XS", "iq4_xs")],
)
def test_what_llama_cpp_quantized_is_quantized(tmp_path: Path, kind: str, name: str, capfd: pytest.CaptureFixture[str]) -> None:
    import llama_cpp

    source, target = llama(tmp_path / "m.gguf"), tmp_path / "q.gguf"
    options = llama_cpp.llama_model_quantize_default_params()
    options.ftype, options.nthread = getattr(llama_cpp, f"LLAMA_FTYPE_MOSTLY_{kind}"), 1
    assert llama_cpp.llama_model_quantize(bytes(source), bytes(target), ctypes.byref(options)) == 0
    before, found = inspect(source), inspect(target)
    assert before.text is not None and found.text is not None
    assert found.quantized and not before.quantized
    assert next(iter(found.weights)) == found.text.dtype == name
    assert found.parameters == before.parameters
    assert found.text.row_lengths == before.text.row_lengths
    assert found.weighted_operators == {}
    assert found.bytes < before.bytes / 1.9


def test_the_table_of_types_is_that_of_the_gguf_package() -> None:
    theirs = {int(kind): sizes for kind, sizes in gguf.GGML_QUANT_SIZES.items()}
    assert {number: sizes for number, (_, *sizes) in TYPES.items()} == {number: list(sizes) for number, sizes in theirs.items()}
    names = {"F32": "float32", "F16": "float16", "BF16": "bfloat16", "F64": "float64"}
    names |= {f"I{n}": f"int{n}" for n in (8, 16, 32, 64)}
    for kind in gguf.GGML_QUANT_SIZES:
        assert TYPES[int(kind)][0] == names.get(kind.name, kind.name.lower())


@pytest.mark.parametrize(
    ("architecture", "family"),
    [
        ("qwen2", "qwen2"),
        ("qwen3", "qwen3"),
        ("phi3", "phi3"),
        ("qwen2moe", "qwen2_moe"),
        ("gptneox", "gpt_neox"),
        ("new", "new"),
    ],
)
def test_families_have_the_names_of_hugging_face(tmp_path: Path, architecture: str, family: str) -> None:
    found = inspect(write(tmp_path / "m.gguf", llama_tensors(), architecture, **llama_values(architecture)))
    assert found.text is not None and found.text.family == family


def test_experts_are_a_mixture_and_their_rows_count(tmp_path: Path) -> None:
    tensors = llama_tensors() | {"blk.0.ffn_down_exps.weight": matrix(4, HIDDEN, 768)}
    found = inspect(write(tmp_path / "m.gguf", tensors, **llama_values(), llama__expert_count=4))
    assert found.architecture == "mixture_of_experts"
    assert found.text is not None
    assert (found.text.family, found.text.row_lengths) == ("mixtral", [HIDDEN, INTERMEDIATE, 768])
    assert found.largest_matrix == [4, HIDDEN, 768]


def test_numbers_of_each_layer_are_told_by_the_largest(tmp_path: Path) -> None:
    values = llama_values() | {"llama__attention__head_count": [4, 8], "llama__attention__head_count_kv": [2, 2]}
    found = inspect(write(tmp_path / "m.gguf", llama_tensors(), **values)).text
    assert found is not None
    assert (found.heads, found.kv_heads) == (8, 2)


def test_what_nobody_states_is_zero(tmp_path: Path) -> None:
    found = inspect(write(tmp_path / "m.gguf", {"token_embd.weight": matrix(40, 32)}))
    assert found.text is not None
    assert (found.text.vocabulary, found.text.context, found.text.layers, found.text.heads) == (40, 0, 0, 0)
    assert (found.text.tokenizer, found.text.end, found.architecture) == ("", [], "other")


def test_an_encoder_writes_no_text(tmp_path: Path) -> None:
    assert inspect(write(tmp_path / "a.gguf", llama_tensors(), "bert", **llama_values("bert"))).text is None
    found = inspect(write(tmp_path / "b.gguf", llama_tensors(), "qwen3", **llama_values("qwen3"), qwen3__pooling_type=3))
    assert found.text is None
    assert found.inputs == found.outputs == []


def test_another_alignment_is_kept(tmp_path: Path) -> None:
    writer = gguf.GGUFWriter(tmp_path / "m.gguf", "llama")
    writer.add_custom_alignment(256)
    for name in ("a.weight", "b.weight"):
        writer.add_tensor(name, matrix(3, 5))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    assert inspect(tmp_path / "m.gguf").parameters == 30


def refused(path: Path) -> str:
    started = time.process_time()
    with pytest.raises(NotMeasured) as caught:
        inspect(path)
    assert time.process_time() - started < 2
    assert caught.value.kind == "model"
    message = str(caught.value)
    assert message.startswith(f"{path}: ") and message.endswith(".") and len(message) < 1000
    return message.removeprefix(f"{path}: ")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"general__type": "adapter"}, "type 'adapter', which goes beside a model"),
        ({"general__type": "imatrix"}, "'imatrix'"),
        ({"split__count": 3}, "llama-gguf-split --merge"),
        ({"llama__context_length": "many"}, "'llama.context_length' is 'many', not a whole number"),
        ({"llama__context_length": 1.5}, "not a whole number"),
        ({"tokenizer__ggml__model": 3}, "'tokenizer.ggml.model' is 3, not a name"),
        ({"general__alignment": 24}, "not a power of two"),
    ],
    ids=str,
)
def test_what_cannot_be_run_is_refused(tmp_path: Path, values: dict[str, Any], words: str) -> None:
    assert words in refused(write(tmp_path / "m.gguf", llama_tensors(), **llama_values() | values))


def test_other_files_of_this_format_are_no_models(tmp_path: Path) -> None:
    assert "'mmproj'" in refused(write(tmp_path / "a.gguf", llama_tensors(), "clip"))
    assert "only a vocabulary" in refused(write(tmp_path / "b.gguf", {}, **llama_values()))


def test_the_other_byte_order_is_told(tmp_path: Path) -> None:
    writer = gguf.GGUFWriter(tmp_path / "m.gguf", "llama", endianess=gguf.GGUFEndian.BIG)
    writer.add_tensor("a.weight", matrix(3, 5))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    assert "big-endian" in refused(tmp_path / "m.gguf")


@pytest.mark.parametrize("left", [0, 3, 4, 10, 24, 100, 3000, 0.3, 0.999])
def test_a_file_that_is_cut_short_is_noticed(tmp_path: Path, left: float) -> None:
    path = llama(tmp_path / "m.gguf")
    data = path.read_bytes()
    path.write_bytes(data[: left if isinstance(left, int) else int(len(data) * left)])
    assert ("cut short" if left else "empty") in refused(path)


def word(text: bytes, length: int | None = None) -> bytes:
    return struct.pack("<Q", len(text) if length is None else length) + text


def file(pairs: bytes = b"", tensors: bytes = b"", keys: int = 0, count: int = 0, version: int = 3, data: int = 0) -> bytes:
    """A file from its parts; the architecture is said, so `keys` are those beside it."""
    head = b"GGUF" + struct.pack("<IQQ", version, count, keys + 1) + word(b"general.architecture") + struct.pack("<I", 8)
    body = head + word(b"llama") + pairs + tensors
    return body + b"\0" * (-len(body) % 32 + data)


def scalar(key: bytes, code: int, value: bytes) -> bytes:
    return word(key) + struct.pack("<I", code) + value


def many(key: bytes, code: int, length: int, data: bytes = b"") -> bytes:
    return scalar(key, 9, struct.pack("<IQ", code, length) + data)


def tensor(name: bytes, dims: list[int], kind: int = 0, offset: int = 0) -> bytes:
    return word(name) + struct.pack(f"<I{len(dims)}QIQ", len(dims), *dims, kind, offset)


SMALL = file(
    scalar(b"llama.block_count", 4, struct.pack("<I", 1)) + many(b"tokenizer.ggml.tokens", 8, 2, word(b"a") + word(b"b")),
    tensor(b"token_embd.weight", [4, 2]) + tensor(b"n", [4], 0, 32),
    keys=2,
    count=2,
    data=48,
)
HUGE = 2**64 - 1
HOSTILE: dict[str, tuple[bytes, str]] = {
    "text": (b"hello, world", "does not begin with GGUF"),
    "lfs": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "git lfs pull"),
    "version 1": (file(version=1), "version 1"),
    "version 4": (file(version=4), "version 4"),
    "version 0": (file(version=0), "version 0"),
    "endless tensors": (b"GGUF" + struct.pack("<IQQ", 3, HUGE, 0), "announces"),
    "endless keys": (b"GGUF" + struct.pack("<IQQ", 3, 0, HUGE), "announces"),
    "tensors that are not there": (file(count=100_000).rstrip(b"\0"), "cut short"),
    "keys that are not there": (file(keys=9_000).rstrip(b"\0"), "cut short"),
    "endless key": (file(word(b"", HUGE), keys=1), "a name of"),
    "endless text": (file(scalar(b"k", 8, word(b"", HUGE)), keys=1), "cut short"),
    "long text": (file(scalar(b"k", 8, word(b"", 2**40)), keys=1), "cut short"),
    "endless list": (file(many(b"k", 4, HUGE), keys=1), "cut short"),
    "endless words": (file(many(b"k", 8, HUGE), keys=1), "more than 2,000,000 texts"),
    "words that are not there": (file(many(b"k", 8, 2_000_000), keys=1), "cut short"),
    "list of lists": (file(many(b"k", 9, 1, struct.pack("<IQ", 4, 0)), keys=1), "unknown type 9"),
    "type of a value": (file(scalar(b"k", 13, b""), keys=1), "unknown type 13"),
    "twice": (file(scalar(b"k", 4, b"1234") * 2, keys=2), "twice"),
    "once a list": (file(scalar(b"k", 4, b"1234") + many(b"k", 8, 0), keys=2), "twice"),
    "many dimensions": (file(tensors=tensor(b"a", [1] * 5), count=1), "5 dimensions"),
    "endless dimensions": (file(tensors=word(b"a") + struct.pack("<I", 2**32 - 1), count=1), "dimensions"),
    "no dimensions": (file(tensors=tensor(b"a", []), count=1), "impossible dimensions"),
    "nothing in it": (file(tensors=tensor(b"a", [4, 0]), count=1), "impossible dimensions"),
    "no such number": (file(tensors=tensor(b"a", [2**32, 2**32]), count=1), "impossible dimensions"),
    "part of a block": (file(tensors=tensor(b"a", [100, 2], 12), count=1), "impossible dimensions for q4_k"),
    "type of a tensor": (file(tensors=tensor(b"a", [4], 99), count=1), "type 99"),
    "type that is gone": (file(tensors=tensor(b"a", [4], 4), count=1), "type 4"),
    "long name": (file(tensors=tensor(b"a" * 2000, [4]), count=1), "a name of"),
    "two of one name": (file(tensors=tensor(b"a", [4]) * 2, count=2, data=99), "two tensors"),
    "one over the other": (file(tensors=tensor(b"a", [4]) + tensor(b"b", [4]), count=2, data=99), "not at 32"),
    "a gap": (file(tensors=tensor(b"a", [4]) + tensor(b"b", [4], 0, 64), count=2, data=99), "not at 32"),
    "outside": (file(tensors=tensor(b"a", [4], 0, HUGE), count=1), "lies at"),
    "more than there is": (file(tensors=tensor(b"a", [2**40]), count=1, data=64), "ends beyond"),
    "alignment": (file(scalar(b"general.alignment", 10, struct.pack("<Q", 2**52)), tensor(b"a", [4]), 1, 1), "ends beyond"),
    "no architecture": (b"GGUF" + struct.pack("<IQQ", 3, 1, 0) + tensor(b"a", [4]) + b"\0" * 64, "architecture"),
    "negative": (file(scalar(b"llama.block_count", 11, struct.pack("<q", -1)), tensor(b"a", [4]), 1, 1, data=64), "-1"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_no_model_is_refused_with_the_reason(tmp_path: Path, name: str) -> None:
    content, words = HOSTILE[name]
    (tmp_path / "m.gguf").write_bytes(content)
    assert words in refused(tmp_path / "m.gguf")


def test_names_reach_no_terminal(tmp_path: Path) -> None:
    for body in (file(tensors=tensor(b"a\x1b[31m\n", []), count=1), file(scalar(b"\x1b[31m\n", 13, b""), keys=1)):
        (tmp_path / "m.gguf").write_bytes(body)
        assert refused(tmp_path / "m.gguf").isprintable()


def test_the_small_file_is_a_model(tmp_path: Path) -> None:
    (tmp_path / "m.gguf").write_bytes(SMALL)
    found = inspect(tmp_path / "m.gguf")
    assert (found.parameters, found.text is not None and found.text.vocabulary) == (12, 2)


def test_words_are_counted_over_all_lists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gatekeeper.models.formats.gguf.MAX_WORDS", 5)
    lists = b"".join(many(key, 8, 3, b"\0" * 24) for key in (b"a", b"b"))
    (tmp_path / "m.gguf").write_bytes(file(lists, keys=2))
    assert "more than 5 texts" in refused(tmp_path / "m.gguf")


@pytest.mark.parametrize("value", [scalar(b"k", 8, word(b"", 10**10)), many(b"k", 0, 10**10)], ids=["text", "numbers"])
def test_what_is_not_needed_is_stepped_over(tmp_path: Path, value: bytes) -> None:
    path = tmp_path / "m.gguf"
    end = tensor(b"token_embd.weight", [4, 2])
    with path.open("wb") as target:
        target.write(b"GGUF" + struct.pack("<IQQ", 3, 1, 2) + scalar(b"general.architecture", 8, word(b"llama")) + value)
        target.seek(10**10, 1)
        target.write(end)
        target.seek(100, 1)
        target.write(b"\0")
    tracemalloc.start()
    started = time.process_time()
    assert inspect(path).parameters == 8
    assert time.process_time() - started < 0.5
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_damage_is_noticed_or_harmless(tmp_path: Path, data: st.DataObject) -> None:
    content = bytearray(SMALL)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1))
        kind = data.draw(st.sampled_from(["byte", "number", "cut", "repeat"]))
        if kind == "byte":
            content[at] = data.draw(st.integers(0, 255))
        elif kind == "number":
            content[at : at + 8] = struct.pack("<Q", data.draw(st.integers(0, HUGE)))
        elif kind == "cut":
            del content[at : at + data.draw(st.integers(1, 60))]
            content += b"\0"
        else:
            content[at:at] = content[at : at + data.draw(st.integers(1, 60))]
    looked_at(tmp_path / "m.gguf", bytes(content))


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=300))
@example(b"GGUF")
def test_anything_after_the_magic_is_read_or_refused(tmp_path: Path, content: bytes) -> None:
    looked_at(tmp_path / "m.gguf", b"GGUF\3\0\0\0" + content)


def looked_at(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    started = time.process_time()
    try:
        found = inspect(path)
    except NotMeasured as error:
        assert error.kind == "model"
    else:
        assert 0 < found.parameters <= 8 * len(content)
    assert time.process_time() - started < 1
