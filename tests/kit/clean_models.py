"""Model files as sound exporters write them, of every kind that is scanned: none of them may be called anything but clean."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from kit import hostile_models as made
from kit.lazily import Lazily

onnx = Lazily("onnx")

Build = Callable[[Path], Path]
CLEAN: dict[str, Build] = {}


def clean(**cases: Any) -> Callable[[Callable[..., Path]], Callable[..., Path]]:
    """Register a builder, or one for each case, which is then its second argument."""

    def register(build: Callable[..., Path]) -> Callable[..., Path]:
        for name, given in cases.items():
            CLEAN[f"{build.__name__}-{name}"] = lambda folder, given=given: build(folder, given)
        if not cases:
            CLEAN[build.__name__] = build
        return build

    return register


TEMPLATES = {
    "chatml": "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\\n' + m['content'] + '<|im_end|>' + '\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}",
    "system": "{% if messages[0]['role'] == 'system' %}{% set loop_messages = messages[1:] %}{% set s = messages[0]['content'] %}"
    "{% else %}{% set loop_messages = messages %}{% endif %}{% for m in loop_messages %}{% if loop.first and s is defined %}"
    "{{ '<<SYS>>' + s + '<</SYS>>' + m['content'] }}{% else %}{{ m['content'] | trim }}{% endif %}{% endfor %}",
    "tools": "{%- set ns = namespace(found=false, text='') -%}{%- for m in messages -%}{%- if m.tool_calls -%}"
    "{%- for call in m.tool_calls -%}{%- for name, value in call.function.arguments.items() -%}{%- for part in value -%}"
    "{%- set ns.text = ns.text ~ part -%}{%- endfor -%}{%- endfor -%}{{ call | tojson(indent=4) }}{%- endfor -%}{%- endif -%}"
    "{%- endfor -%}{{ ns.text }}",
    "types": "{%- macro kind(spec, level=0) -%}{%- if spec.type == 'array' -%}{{ kind(spec['items'], level + 1) }}[]"
    "{%- elif spec.oneOf -%}{%- for each in spec.oneOf -%}{{ kind(each, level + 1) }}{%- endfor -%}{%- else -%}{{ spec.type }}"
    "{%- endif -%}{%- endmacro -%}{%- for tool in tools -%}{{ kind(tool.function.parameters) }}{%- endfor -%}",
    "generation": "{% for m in messages %}{% generation %}{{ m.content }}{% endgeneration %}{% endfor %}",
    "reversed": "{% set ns = namespace(last=messages|length - 1) %}{% for m in messages[::-1] %}{% set i = messages|length - 1 - "
    "loop.index0 %}{% if m.role == 'user' %}{% set ns.last = i %}{% endif %}{% endfor %}{% for i in range(messages|length) %}"
    "{{ messages[i].content.split('</think>')[-1].lstrip('\\n') }}{% endfor %}",
    "raise": "{% for m in messages %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('r') }}{% endif %}"
    "{{ '__' ~ m.role ~ '__: ' }}{% if loop.last %}{% break %}{% endif %}{% endfor %}{{ strftime_now('%d %b %Y') }}",
    "long": "{# " + "x" * 9000 + " #}{{ messages | map(attribute='content') | join('\\n') }}",
    "folded": "{% macro show(node) %}{% for child in node.children %}{{ show(child) }}{% endfor %}{% endmacro %}"
    "{{ show(messages[0]) }}",
}


@clean(**TEMPLATES)
def gguf_template(folder: Path, text: str) -> Path:
    return made.sound_gguf(folder, made.pair("tokenizer.chat_template", text))


@clean(**TEMPLATES)
def hugging_template(folder: Path, text: str) -> Path:
    return made.hugging(folder, **{"tokenizer_config.json": {"chat_template": [{"name": "default", "template": text}]}})


@clean()
def gguf_plain(folder: Path) -> Path:
    return made.sound_gguf(folder)


@clean(
    relu=lambda: made.model([made.relu()]),
    microsoft=lambda: made.model([made.custom("Gelu", "com.microsoft")], **{"com.microsoft": 1}),
    tree=lambda: made.model([made.custom("Normalizer", "ai.onnx.ml")], **{"ai.onnx.ml": 3}),
    declared=lambda: made.model([made.relu()], **{"somebody.else": 1}),
    function=lambda: made.model([made.custom("F", "own")], functions=[made.function("F", [made.relu()])], own=1),
    functions=lambda: made.model(
        [made.custom("G", "own")],
        functions=[made.function("G", [made.custom("F", "own")]), made.function("F", [made.relu()])],
        own=1,
    ),
    overload=lambda: made.overloaded("second", "second"),
)
def onnx_of(folder: Path, build: Callable[[], Any]) -> Path:
    return made.saved(build(), folder)


@clean(whole={}, part={"offset": "64", "length": "64"}, start={"offset": "0"}, checked={"checksum": "0" * 40, "length": "64"})
def onnx_weights_beside(folder: Path, entries: dict[str, str]) -> Path:
    return made.with_weights(folder, **entries)


@clean()
def onnx_weights_in_a_folder(folder: Path) -> Path:
    (folder / "weights").mkdir()
    (folder / "weights/w").write_bytes(bytes(64))
    return made.with_weights(folder, location="weights/w")


@clean()
def onnx_shared_weights(folder: Path) -> Path:
    (folder / "w.data").write_bytes(bytes(64))
    nodes = [onnx.helper.make_node("MatMul", ["x", "w"], ["a"]), onnx.helper.make_node("MatMul", ["a", "v"], ["y"])]
    both = [made.outside({"location": "w.data"}, name) for name in "wv"]
    return made.saved(made.model(nodes, both), folder)


@clean()
def onnx_context_inside(folder: Path) -> Path:
    (folder / "context.bin").write_bytes(bytes(8))
    node = onnx.helper.make_node(
        "EPContext", ["x"], ["y"], domain="com.microsoft", embed_mode=0, ep_cache_context="context.bin", name="n"
    )
    return made.saved(made.model([node], **{"com.microsoft": 1}), folder)


@clean(plain={}, newer={"version": "opset16"}, in_a_body={"inner": made.BODY.replace("extension", "opset8")})
def ir(folder: Path, changes: dict[str, Any]) -> Path:
    return made.ir(folder, **changes)


@clean()
def ir_folder(folder: Path) -> Path:
    made.ir(folder)
    return folder


@clean(
    plain=made.SOUND,
    two=made.safetensors({"v": made.stored(0, 32), "w": made.stored(32, 96)}, 96),
    told=made.safetensors({"__metadata__": {"format": "pt"}, "w": made.stored(0, 64)}, 64),
    nothing=made.safetensors({"w": made.stored(0, 0), "v": made.stored(0, 32)}, 32),
)
def safetensors(folder: Path, content: bytes) -> Path:
    (folder / "model.safetensors").write_bytes(content)
    return folder / "model.safetensors"


@clean(
    plain={},
    generation={"generation_config.json": {"eos_token_id": 2}},
    switched_off={"config.json": {"auto_map": None, "trust_remote_code": False, "custom_pipelines": {}}},
    words={"vocab.json": {"auto_map": 3, "trust_remote_code": 4}, "merges.txt": b"#version: 0.2\na b\n"},
    index={"model.safetensors.index.json": {"metadata": {}, "weight_map": {"w": "model.safetensors"}}},
    adapter={"adapter_config.json": {"peft_type": "LORA", "auto_mapping": None}},
    adapter_of={
        "adapter_config.json": {
            "auto_mapping": {"base_model_class": "BertModel", "parent_library": "transformers.models.bert.modeling_bert"}
        }
    },
    modules={"modules.json": [{"idx": 0, "name": "0", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"}]},
    documents={"README.md": b"# A model\n\n```python\nimport os\n```\n", "LICENSE": b"Apache", ".gitattributes": b"*.bin lfs\n"},
    words_of_pieces={"tokenizer.model": b"\n\x0e\n\x05<unk>\x15\x00\x00\x00\x00\x18\x02" * 9, "spiece.vocab": b"a\t1\n"},
    texts={"vocab.txt": b"cat\ndog\nRabbit\n(\nt\nR\n", "special_tokens_map.json": {"eos_token": "</s>"}},
    picture={"image.png": b"\x89PNG\r\n\x1a\n" + bytes(99)},
    quantized={"config.json": {"quantization": {"group_size": 64, "bits": 4}, "model_type": "llama"}},
    nothing={"empty": b""},
)
def hugging(folder: Path, files: dict[str, Any]) -> Path:
    return made.hugging(folder, **files)


@clean()
def hugging_from_the_hub(folder: Path) -> Path:
    """As the Hub's cache lays a model out: links to files that are called by their digest."""
    blobs, snapshot = folder / "models--a--b/blobs", folder / "models--a--b/snapshots/0123456789abcdef"
    blobs.mkdir(parents=True)
    snapshot.mkdir(parents=True)
    for i, (name, content) in enumerate({"config.json": b'{"model_type": "llama"}', "model.safetensors": made.SOUND}.items()):
        (blobs / f"{i:064x}").write_bytes(content)
        (snapshot / name).symlink_to(f"../../blobs/{i:064x}")
    return snapshot


@clean()
def hugging_linked_inside(folder: Path) -> Path:
    place = made.hugging(folder)
    (place / "again.safetensors").symlink_to("model.safetensors")
    return place


ARRAYS: dict[str, Any] = {
    "numbers": np.arange(12.0).reshape(3, 4),
    "texts": np.array(["a", "O", "object"]),
    "bytes": np.array([b"OOO"]),
    "structured": np.zeros(3, dtype=[("O", "f4"), ("b", "i8", (2,))]),
    "dates": np.array(["2020-01-01"], dtype="M8[D]"),
    "nothing": np.zeros((0, 5)),
    "one": np.array(True),
}


@clean(**ARRAYS)
def numpy_array(folder: Path, array: Any) -> Path:
    np.save(folder / "x.npy", array)
    return folder / "x.npy"


@clean(plain=np.savez, compressed=np.savez_compressed)
def numpy_archive(folder: Path, save: Callable[..., None]) -> Path:
    save(
        folder / "x.npz", zeros=np.zeros((2000, 2000)), **{name: array for name, array in ARRAYS.items() if name != "structured"}
    )
    return folder / "x.npz"


@clean(protocol_2=2, protocol_4=4, protocol_5=5)
def pickle_of_numbers(folder: Path, protocol: int) -> Path:
    import pickle

    (folder / "model.pkl").write_bytes(pickle.dumps({"a": [1, 2, 3], "b": "x", "c": (1.5, None)}, protocol))
    return folder / "model.pkl"


@clean()
def archive_of_texts(folder: Path) -> Path:
    (folder / "model.zip").write_bytes(made.zipped({"inner/readme.txt": b"hello"}))
    return folder / "model.zip"


@clean()
def hdf5_with_links_inside(folder: Path) -> Path:
    import h5py

    with h5py.File(folder / "model.weights.h5", "w") as file:
        file["layers/dense/w"] = np.zeros((3, 3), np.float32)
        file["again"], file["soft"] = file["layers"], h5py.SoftLink("/layers/dense/w")
        file["layers/loop"] = file["layers"]
    return folder / "model.weights.h5"


@clean()
def keras(folder: Path) -> Path:
    import h5py

    with h5py.File(folder / "w.h5", "w") as file:
        file["layers/dense/vars/0"] = np.zeros((3, 3), np.float32)
    layer = {"module": "keras.layers", "class_name": "Dense", "config": {"name": "d", "units": 3}, "registered_name": None}
    config = {"module": "keras", "class_name": "Sequential", "config": {"name": "s", "layers": [layer]}, "registered_name": None}
    members = {
        "config.json": json.dumps(config).encode(),
        "metadata.json": b'{"keras_version": "3.0.0"}',
        "model.weights.h5": (folder / "w.h5").read_bytes(),
    }
    (folder / "model.keras").write_bytes(made.zipped(members))
    return folder / "model.keras"
