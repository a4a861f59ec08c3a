"""The Hugging Face inspector on folders Transformers and MLX wrote, on damaged ones, and on ones that want to be trouble."""

from __future__ import annotations

import json
import re
import shutil
import struct
import time
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kit.tiny_llm import write_llama
from safetensors import SafetensorError, deserialize
from safetensors.numpy import load_file, save, save_file

from gatekeeper.errors import NotMeasured
from gatekeeper.models.files import assess, digest_files, model_format
from gatekeeper.models.formats.huggingface import INDEX, WEIGHTS, inspect
from gatekeeper.models.safetensors import DTYPES

SIZES = {"hidden_size": 64, "intermediate_size": 96, "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 32}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Llama; not to be changed."""
    return write_llama(tmp_path_factory.mktemp("llama"), **SIZES)


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    """A copy of it that a test may damage."""
    return Path(shutil.copytree(made, tmp_path / "model"))


def test_it_says_what_transformers_says(made: Path) -> None:
    from transformers import AutoModelForCausalLM, __version__

    found, model = assess(made), AutoModelForCausalLM.from_pretrained(made)
    assert (found.format, found.architecture, found.quantized, found.opset) == ("huggingface", "transformer", False, {})
    assert found.parameters == model.num_parameters()
    assert found.weights == {"float32": found.parameters}
    assert found.producer == f"transformers {__version__}"
    assert found.bytes == (made / WEIGHTS).stat().st_size
    assert found.weighted_operators == {"MatMul": 15, "Gather": 1}
    assert found.largest_matrix == [512, 64]
    assert [(t.name, t.dtype, t.shape) for t in found.inputs] == [("tokens", "int64", ["batch", "sequence"])]
    assert [(t.name, t.dtype, t.shape) for t in found.outputs] == [("logits", "float32", ["batch", "sequence", 512])]
    text, config = found.text, model.config
    assert text is not None
    assert (text.family, text.dtype, text.tokenizer, text.end) == ("llama", "float32", "tokenizer.json", [0])
    assert (text.vocabulary, text.context) == (config.vocab_size, config.max_position_embeddings)
    assert (text.layers, text.hidden) == (config.num_hidden_layers, config.hidden_size)
    assert (text.heads, text.kv_heads) == (config.num_attention_heads, config.num_key_value_heads)
    assert text.row_lengths == [64, 96]


@pytest.mark.parametrize("family", ["mistral", "qwen2", "qwen3", "phi3"])
def test_families_are_told_apart(tmp_path: Path, family: str) -> None:
    found = inspect(write_llama(tmp_path, family, **SIZES))
    assert found.text is not None
    assert (found.text.family, found.text.layers, found.text.row_lengths) == (family, 2, [64, 96])


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_and_tied_embeddings(tmp_path: Path, dtype: str) -> None:
    found = inspect(write_llama(tmp_path, dtype=dtype, tie_word_embeddings=True, **SIZES))
    assert found.weights == {dtype: found.parameters}
    assert found.weighted_operators == {"MatMul": 14, "Gather": 1}
    assert found.text is not None and found.text.dtype == dtype


def test_older_families_name_their_numbers_otherwise(tmp_path: Path) -> None:
    write_llama(tmp_path, "gpt2", **SIZES | {"num_key_value_heads": None})
    assert "hidden_size" not in json.loads((tmp_path / "config.json").read_text())
    found = inspect(tmp_path).text
    assert found is not None
    assert (found.family, found.hidden, found.layers, found.context) == ("gpt2", 64, 2, 256)
    assert (found.heads, found.kv_heads) == (2, 2)


def test_experts_are_a_mixture(tmp_path: Path) -> None:
    found = inspect(write_llama(tmp_path, "mixtral", num_local_experts=2, num_experts_per_tok=1, **SIZES))
    assert found.architecture == "mixture_of_experts"


def test_what_mlx_quantized_is_quantized(made: Path, tmp_path: Path) -> None:
    import mlx_lm

    mlx_lm.convert(str(made), mlx_path=str(tmp_path / "small"), quantize=True, q_group_size=32, q_bits=4)
    found = inspect(tmp_path / "small")
    assert found.quantized
    assert found.weighted_operators == {}
    assert found.text is not None and found.text.dtype == "uint32"
    assert str(tmp_path / "small" / INDEX) in found.files


def test_a_model_that_writes_no_text_has_none(folder: Path) -> None:
    change(folder, architectures=["LlamaForSequenceClassification"])
    (folder / "tokenizer.json").unlink()
    found = inspect(folder)
    assert found.text is None
    assert found.inputs == found.outputs == []


def shards(folder: Path) -> list[Path]:
    """Save the model again, in several files."""
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(folder)
    (folder / WEIGHTS).unlink()
    model.save_pretrained(folder, max_shard_size="150KB")
    found = sorted(folder.glob("model-*.safetensors"))
    assert len(found) > 2
    return found


def test_weights_in_several_files_are_one_model(made: Path, folder: Path) -> None:
    whole, files = inspect(made), shards(folder)
    found = inspect(folder)
    assert (found.parameters, found.weights, found.text) == (whole.parameters, whole.weights, whole.text)
    assert found.bytes == sum(f.stat().st_size for f in files)
    assert {Path(f).name for f in found.files} >= {INDEX, *(f.name for f in files)}


def test_every_file_that_decides_is_the_models_identity_and_no_other(folder: Path) -> None:
    found = inspect(folder)
    names = ["config.json", "generation_config.json", WEIGHTS, "tokenizer.json", "tokenizer_config.json"]
    assert found.files == [str(folder / name) for name in names]
    before = digest_files([Path(f) for f in found.files])
    for other in ("README.md", "pytorch_model.bin", "training_args.bin", "LICENSE"):
        (folder / other).write_text("x")
    assert digest_files([Path(f) for f in inspect(folder).files]) == before
    for file in found.files:
        data = Path(file).read_bytes()
        Path(file).write_bytes(data[:-1] + (b"\n" if file.endswith(".json") else b"\1"))
        if not file.endswith((WEIGHTS, "config.json")):
            assert digest_files([Path(f) for f in inspect(folder).files]) != before
        Path(file).write_bytes(data)
    (folder / "special_tokens_map.json").write_text("{}")
    assert digest_files([Path(f) for f in inspect(folder).files]) != before


def test_files_may_be_links_as_in_a_download_cache(folder: Path, tmp_path: Path) -> None:
    before = inspect(folder)
    (tmp_path / "blob").write_bytes((folder / WEIGHTS).read_bytes())
    (folder / WEIGHTS).unlink()
    (folder / WEIGHTS).symlink_to(tmp_path / "blob")
    assert inspect(folder) == before


def test_what_ends_a_text_is_what_the_generation_settings_say(folder: Path) -> None:
    change(folder, eos_token_id=[7, 5])
    assert end(folder) == [0]
    (folder / "generation_config.json").write_text('{"eos_token_id": [3, 1, 3]}')
    assert end(folder) == [1, 3]
    (folder / "generation_config.json").write_text("{}")
    assert end(folder) == [5, 7]
    (folder / "generation_config.json").unlink()
    assert end(folder) == [5, 7]


def end(folder: Path) -> list[int]:
    found = inspect(folder).text
    assert found is not None
    return found.end


def change(folder: Path, **values: Any) -> None:
    """Other values in config.json; None takes one away."""
    config = json.loads((folder / "config.json").read_text()) | values
    (folder / "config.json").write_text(json.dumps({k: v for k, v in config.items() if v is not None}))


def refused(path: Path) -> str:
    started = time.process_time()
    with pytest.raises(NotMeasured) as caught:
        inspect(path)
    assert time.process_time() - started < 2
    assert caught.value.kind == "model"
    message = str(caught.value)
    assert message.startswith(str(path)) and message.endswith(".") and len(message) < 1000
    return message.removeprefix(str(path))


@pytest.mark.parametrize(
    ("key", "value"), [("auto_map", {"AutoModelForCausalLM": "modeling_evil.EvilForCausalLM"}), ("model_file", "evil.py")]
)
def test_custom_code_is_refused(folder: Path, key: str, value: Any) -> None:
    change(folder, **{key: value})
    message = refused(folder)
    assert f"has `{key}`" in message and "Python code" in message


def test_a_pickle_is_refused_with_the_way_out(folder: Path) -> None:
    (folder / WEIGHTS).rename(folder / "pytorch_model.bin")
    assert "save_pretrained(folder, safe_serialization=True)" in refused(folder)


def test_the_way_out_of_a_pickle_works(folder: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    weights = {name: torch.from_numpy(array) for name, array in load_file(folder / WEIGHTS).items()}
    torch.save(weights, folder / "pytorch_model.bin")
    before = inspect(folder)
    (folder / WEIGHTS).unlink()
    AutoModelForCausalLM.from_pretrained(folder).save_pretrained(folder, safe_serialization=True)
    assert inspect(folder).weights == before.weights


def test_without_tokenizer_it_says_how_to_save_one(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()
    assert "AutoTokenizer.from_pretrained(folder).save_pretrained(folder)" in refused(folder)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("model-00001-of-00002.safetensors", f"{INDEX}, which says"),
        ("adapter_model.safetensors", "merge_and_unload"),
        ("llama-q4.gguf", "Name the file 'llama-q4.gguf'"),
        ("weights.safetensors", f"no {WEIGHTS}"),
    ],
)
def test_other_weights_are_told_for_what_they_are(folder: Path, name: str, words: str) -> None:
    (folder / WEIGHTS).rename(folder / name)
    assert words in refused(folder)


@pytest.mark.parametrize("name", [WEIGHTS, "tokenizer.json", "config.json"])
def test_a_pointer_is_no_file(folder: Path, name: str) -> None:
    (folder / name).write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    assert f"/{name}: a Git LFS pointer" in refused(folder)
    (folder / name).write_bytes(b"")
    assert f"/{name}: the file is empty" in refused(folder)


def test_no_configuration(tmp_path: Path) -> None:
    assert "no config.json" in refused(tmp_path)
    assert model_format(tmp_path) is None
    (tmp_path / "config.json").mkdir()
    assert "no config.json" in refused(tmp_path)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"hello", "no JSON"),
        (b"[]", "a JSON list, not an object"),
        (b"null", "a JSON NoneType"),
        (b'{"a": ', "no JSON"),
        (b"\xff\xfe", "no JSON"),
        (b"[" * 100_000, "no JSON"),
        (b'{"vocab_size": ' + b"9" * 5000 + b"}", "no JSON"),
        (b" " * (5 << 20), "more than 4 MB"),
        (b"{}" + b"\0" * 20, "no JSON"),
    ],
    ids=["text", "list", "null", "cut", "utf-16", "nested", "digits", "long", "nul"],
)
def test_a_configuration_that_is_none(folder: Path, content: bytes, words: str) -> None:
    (folder / "config.json").write_bytes(content)
    assert words in refused(folder)
    (folder / "config.json").write_text("{}")
    assert inspect(folder).text is None


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"vocab_size": "512"}, "vocab_size is '512', not a whole number"),
        ({"hidden_size": -1}, "hidden_size is -1"),
        ({"hidden_size": 1.5}, "hidden_size is 1.5"),
        ({"num_hidden_layers": True}, "num_hidden_layers is True"),
        ({"max_position_embeddings": 10**30}, "max_position_embeddings is 1000"),
        ({"num_attention_heads": {"a": 1}}, "num_attention_heads is"),
        ({"num_attention_heads": [1, "2"]}, "num_attention_heads is"),
        ({"eos_token_id": "</s>"}, "eos_token_id is"),
        ({"model_type": 3}, "model_type is 3, not a name"),
        ({"model_type": "a\x1b[31m"}, "not a name"),
        ({"model_type": "\ud800"}, "not a name"),
        ({"model_type": "a" * 300}, "not a name"),
        ({"model_type": None}, "no model_type"),
    ],
    ids=str,
)
def test_values_that_make_no_sense(folder: Path, values: dict[str, Any], words: str) -> None:
    (folder / "generation_config.json").unlink()
    change(folder, **values)
    assert words in refused(folder)


def test_what_is_not_said_is_zero(folder: Path) -> None:
    change(folder, vocab_size=None, max_position_embeddings=None, num_key_value_heads=None, num_hidden_layers=[])
    found = inspect(folder)
    assert found.text is not None
    assert (found.text.vocabulary, found.text.context, found.text.layers, found.text.kv_heads) == (0, 0, 0, 2)
    assert found.outputs[0].shape == ["batch", "sequence", None]


def test_a_shard_that_is_missing_is_named(folder: Path) -> None:
    gone = shards(folder)[1]
    gone.unlink()
    assert f"names '{gone.name}', which is not there" in refused(folder)


def test_files_and_their_index_must_agree(folder: Path) -> None:
    files = shards(folder)
    index = json.loads((folder / INDEX).read_text())
    broken = index | {"weight_map": index["weight_map"] | {"extra.weight": files[0].name}}
    (folder / INDEX).write_text(json.dumps(broken))
    assert f"{files[0].name}: not a readable safetensors file ({INDEX} says that it holds 'extra.weight'" in refused(folder)
    (folder / INDEX).write_text(json.dumps(index))
    shutil.copy(files[0], folder / "model-of-before.safetensors")
    assert "does not name 'model-of-before.safetensors'" in refused(folder)
    (folder / "model-of-before.safetensors").unlink()


def test_a_tensor_in_two_files_is_refused(folder: Path) -> None:
    (folder / WEIGHTS).unlink()
    for name in ("one", "two"):
        save_file({"a": np.ones(3), "b": np.ones(3)}, folder / f"{name}.safetensors")
    (folder / INDEX).write_text(json.dumps({"weight_map": {"a": "one.safetensors", "b": "two.safetensors"}}))
    assert "it holds 'a', and so does another file" in refused(folder)


@pytest.mark.parametrize(
    "content",
    [
        "x", "[]", "{}", '{"weight_map": []}', '{"weight_map": {}}', '{"weight_map": {"a": 3}}', "[" * 100_000,
        '{"weight_map": {"a": "../model.safetensors"}}', '{"weight_map": {"a": "/etc/passwd"}}', '{"weight_map": {"a": ".."}}',
        '{"weight_map": {"a": "pytorch_model.bin"}}', '{"weight_map": {"a": "a\\u0000.safetensors"}}',
    ],
)  # fmt: skip
def test_an_index_that_is_none(folder: Path, content: str) -> None:
    (folder / INDEX).write_text(content)
    assert f"/{INDEX}: not a readable index of safetensors (it " in refused(folder)


@pytest.mark.parametrize("name", ["gone.safetensors", "x" * 300 + ".safetensors"])
def test_an_index_that_names_what_cannot_be(folder: Path, name: str) -> None:
    (folder / INDEX).write_text(json.dumps({"weight_map": {"a": name}}))
    assert re.search("which is not there|cannot be read", refused(folder))


def safetensors(header: Any, data: int = 0) -> bytes:
    content = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(content)) + content + b"\0" * data


def entry(shape: Any = (2, 3), start: Any = 0, stop: Any = 24, dtype: Any = "F32") -> dict[str, Any]:
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [start, stop]}


HOSTILE = {
    "text": (b"hello, world", "no safetensors file"),
    "pickle": (b"\x80\x02}q\x00(X\x01\x00\x00\x00aq\x01K\x01u.", "no safetensors file"),
    "eight bytes": (b"\0" * 8, "no list of tensors"),
    "endless header": (struct.pack("<Q", 2**64 - 1) + b"{}", "no safetensors file"),
    "cut header": (safetensors({"a": entry()}, 24)[:30], "cut short"),
    "cut data": (safetensors({"a": entry()}, 23), "cut short"),
    "more data": (safetensors({"a": entry()}, 25), "belong to no tensor"),
    "notes that are none": (safetensors({"__metadata__": {"format": 3}, "a": entry()}, 24), "no list of tensors"),
    "list": (safetensors([]), "no list of tensors"),
    "nested": (safetensors(b'{"a":' + b"[" * 100_000), "no list of tensors"),
    "no utf-8": (safetensors(b'{"\xff\xfe": 1}'), "no list of tensors"),
    "no tensors": (safetensors({}), "no tensors"),
    "only notes": (safetensors({"__metadata__": {"format": "pt"}}), "no tensors"),
    "no offsets": (safetensors({"a": {"dtype": "F32", "shape": [1]}}, 4), "data_offsets"),
    "three offsets": (safetensors({"a": entry() | {"data_offsets": [0, 1, 2]}}, 24), "no list of tensors"),
    "unknown type": (safetensors({"a": entry(dtype="F33")}, 24), "unknown type 'F33'"),
    "negative": (safetensors({"a": entry((-2, -3))}, 24), "impossible dimensions"),
    "no such number": (safetensors({"a": entry([2**62] * 9)}, 24), "impossible dimensions"),
    "many dimensions": (safetensors({"a": entry([1] * 100, 0, 4)}, 4), "impossible dimensions"),
    "half a number": (safetensors({"a": entry((1.5, 3))}, 24), "no list of tensors"),
    "wrong size": (safetensors({"a": entry((2, 2))}, 24), "do not take"),
    "backwards": (safetensors({"a": entry((0,), 24, 0)}, 24), "starts at byte 24"),
    "negative offset": (safetensors({"a": entry(start=-24, stop=0)}, 24), "starts at byte -24"),
    "outside": (safetensors({"a": entry(start=0, stop=24), "b": entry(start=24, stop=48)}, 24), "cut short"),
    "one over the other": (safetensors({"a": entry(), "b": entry()}, 24), "and not at 24"),
    "a gap": (safetensors({"a": entry(), "b": entry(start=30, stop=54)}, 54), "and not at 24"),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_weights_that_are_none_are_refused_with_the_reason(folder: Path, name: str) -> None:
    content, words = HOSTILE[name]
    (folder / WEIGHTS).write_bytes(content)
    message = refused(folder)
    assert message.startswith(f"/{WEIGHTS}: ") and words in message


def test_names_reach_no_terminal(folder: Path) -> None:
    (folder / WEIGHTS).write_bytes(safetensors({"a\x1b[31m\n": entry(stop=3)}, 24))
    assert refused(folder).isprintable()
    (folder / INDEX).write_text(json.dumps({"weight_map": {"a": "\x1b[31m\n.safetensors"}}))
    assert refused(folder).isprintable()
    change(folder, vocab_size="\x1b[31m\n")
    assert refused(folder).isprintable()


def test_the_types_are_those_of_the_library() -> None:
    for name, (_, bits) in DTYPES.items():
        deserialize(safetensors({"a": entry((8,), 0, bits, name)}, bits))
    with pytest.raises(SafetensorError) as caught:
        deserialize(safetensors({"a": entry((1,), 0, 1, "no such type")}, 1))
    assert set(re.findall("`([A-Z0-9_]+)`", str(caught.value))) == set(DTYPES)


def test_a_large_header_is_refused_before_it_is_read(folder: Path) -> None:
    with (folder / WEIGHTS).open("wb") as file:
        file.write(struct.pack("<Q", 10**9) + b"{")
        file.truncate(2 * 10**9)
    tracemalloc.start()
    assert "more than 16 MB" in refused(folder)
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()


def test_data_is_not_read(folder: Path) -> None:
    size = 4 * 10**9
    with (folder / WEIGHTS).open("wb") as file:
        file.write(safetensors({"a.weight": entry((10**6, 1000), 0, size)}))
        file.truncate(file.tell() + size)
    started = time.process_time()
    assert inspect(folder).parameters == 10**9
    assert time.process_time() - started < 0.5


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of one tiny matrix."""
    folder = tmp_path_factory.mktemp("small")
    (folder / "config.json").write_text("{}")
    save_file({"a.weight": np.ones((2, 3), np.float32)}, folder / WEIGHTS)
    return folder


SMALL = save({"a.weight": np.ones((2, 3), np.float32), "b": np.ones(4, np.int8)}, {"format": "pt"})


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_damaged_weights_are_noticed_or_harmless(small: Path, data: st.DataObject) -> None:
    content = bytearray(SMALL)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1))
        if data.draw(st.booleans()):
            content[at] = data.draw(st.integers(0, 255))
        else:
            content[at : at + data.draw(st.integers(0, 20))] = data.draw(st.binary(max_size=20))
        content = content or bytearray(1)
    (small / WEIGHTS).write_bytes(content)
    started = time.process_time()
    try:
        found = inspect(small)
    except NotMeasured as error:
        assert error.kind == "model"
    else:
        deserialize(bytes(content))  # what is read here, the library reads as well
        assert found.parameters <= 2 * len(content)
    assert time.process_time() - started < 1


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
KEYS = [
    "architectures", "model_type", "vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "n_head",
    "num_key_value_heads", "num_experts", "max_position_embeddings", "eos_token_id", "quantization_config", "quantization",
    "transformers_version", "auto_map",
]  # fmt: skip


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.sampled_from(KEYS), JSON), st.booleans())
def test_any_configuration_is_read_or_refused(small: Path, values: dict[str, Any], generative: bool) -> None:
    (small / WEIGHTS).write_bytes(SMALL)
    (small / "tokenizer.json").write_text("{}")
    config = values | ({"architectures": ["LlamaForCausalLM"]} if generative else {})
    (small / "config.json").write_text(json.dumps(config))
    try:
        found = inspect(small)
    except NotMeasured as error:
        assert error.kind == "model"
    else:
        assert found.parameters == 10
    (small / "config.json").write_text("{}")
