"""Model files that no sound exporter writes, each with the rule that names it. None of them does any harm: code in them would
make a marker beside itself, which no test may find.
"""

from __future__ import annotations

import io
import json
import os
import pickle
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from kit.lazily import Lazily

onnx = Lazily("onnx")
MARKER = "it-ran"

Build = Callable[[Path], Path]
HOSTILE: dict[str, tuple[str, Build]] = {}
"""Name -> rule, and what writes it into a folder and returns the model's path."""


def hostile(rule: str, **cases: Any) -> Callable[[Callable[..., Path]], Callable[..., Path]]:
    """Register a builder, or one for each case, which is then its second argument."""

    def register(build: Callable[..., Path]) -> Callable[..., Path]:
        for name, given in cases.items():
            HOSTILE[f"{build.__name__}-{name}"] = (rule, lambda folder, given=given: build(folder, given))
        if not cases:
            HOSTILE[build.__name__] = (rule, build)
        return build

    return register


# ONNX


def value(name: str, shape: list[Any]) -> Any:
    return onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)


def model(nodes: list[Any], weights: list[Any] | None = None, functions: list[Any] | None = None, **domains: int) -> Any:
    graph = onnx.helper.make_graph(nodes, "g", [value("x", [1, 4])], [value("y", [1, 4])], weights or [])
    opsets = [onnx.helper.make_opsetid("", 17), *(onnx.helper.make_opsetid(name, v) for name, v in domains.items())]
    return onnx.helper.make_model(graph, opset_imports=opsets, ir_version=10, functions=functions or [])


def saved(made: Any, folder: Path, name: str = "model.onnx") -> Path:
    (folder / name).write_bytes(made.SerializeToString())
    return folder / name


def relu(output: str = "y") -> Any:
    return onnx.helper.make_node("Relu", ["x"], [output])


def outside(entries: dict[str, str], name: str = "w") -> Any:
    """A weight of 4 x 4 numbers in another file."""
    tensor = onnx.TensorProto(name=name, data_type=1, dims=[4, 4], data_location=1)
    for key, text in entries.items():
        tensor.external_data.add(key=key, value=text)
    return tensor


def with_weights(folder: Path, **entries: str) -> Path:
    (folder / "w.data").write_bytes(bytes(range(64)) * 2)
    return saved(model([onnx.helper.make_node("MatMul", ["x", "w"], ["y"])], [outside({"location": "w.data"} | entries)]), folder)


@hostile(
    "external_range",
    below_zero={"offset": "-16"},
    endless={"length": str(1 << 62)},
    beyond={"offset": "4096", "length": "64"},
    no_number={"length": "0x40"},
    just_beyond={"offset": "65", "length": "64"},
    too_little={"offset": "100"},
    overflows={"offset": str((1 << 64) - 32), "length": "64"},
)
def onnx_range(folder: Path, entries: dict[str, str]) -> Path:
    return with_weights(folder, **entries)


@hostile(
    "external_path",
    parent="../../../etc/hostname",
    absolute="/etc/hostname",
    windows="C:\\\\Windows\\\\win.ini",
    windows_parent="..\\\\..\\\\secret",
    address="http://e.example/w",
    itself="model.onnx",
    folder="inner",
    nothing="",
)
def onnx_place(folder: Path, place: str) -> Path:
    (folder / "inner").mkdir()
    return with_weights(folder, location=place)


@hostile("external_path")
def onnx_link(folder: Path) -> Path:
    path = with_weights(folder, location="linked")
    (folder / "linked").symlink_to("/etc/hostname")
    return path


@hostile("external_path")
def onnx_linked_folder(folder: Path) -> Path:
    path = with_weights(folder, location="linked/hostname")
    (folder / "linked").symlink_to("/etc")
    return path


@hostile("external_path")
def onnx_context_elsewhere(folder: Path) -> Path:
    node = onnx.helper.make_node(
        "EPContext", ["x"], ["y"], domain="com.microsoft", embed_mode=0, ep_cache_context="../../evil.bin", name="n"
    )
    return saved(model([node], **{"com.microsoft": 1}), folder)


@hostile("external_memory")
def onnx_memory(folder: Path) -> Path:
    return with_weights(folder, location="*/_ORT_MEM_ADDR_/*", offset="140737488355328")


@hostile("external_range")
def onnx_constant_elsewhere(folder: Path) -> Path:
    (folder / "w.data").write_bytes(bytes(8))
    constant = onnx.helper.make_node("Constant", [], ["w"], value=outside({"location": "w.data"}))
    return saved(model([constant, onnx.helper.make_node("MatMul", ["x", "w"], ["y"])]), folder)


def custom(name: str = "Evil", domain: str = "evil.domain", output: str = "y") -> Any:
    return onnx.helper.make_node(name, ["x"], [output], domain=domain, name="n")


@hostile("custom_operator")
def onnx_custom(folder: Path) -> Path:
    return saved(model([custom()], **{"evil.domain": 1}), folder)


@hostile("custom_operator")
def onnx_custom_like_a_known_one(folder: Path) -> Path:
    return saved(model([custom("Relu", "com.microsoft.extensions")], **{"com.microsoft.extensions": 1}), folder)


@hostile("custom_operator")
def onnx_custom_in_a_branch(folder: Path) -> Path:
    branches = [onnx.helper.make_graph([each], name, [], [value("b", [1, 4])]) for name, each in (
        ("then", custom(output="b")), ("else", relu("b"))
    )]  # fmt: skip
    node = onnx.helper.make_node("If", ["c"], ["y"], then_branch=branches[0], else_branch=branches[1])
    yes = onnx.helper.make_tensor("c", onnx.TensorProto.BOOL, [], [True])
    return saved(model([node], [yes], **{"evil.domain": 1}), folder)


def function(name: str, nodes: list[Any], **domains: int) -> Any:
    opsets = [onnx.helper.make_opsetid("", 17), onnx.helper.make_opsetid("own", 1)]
    opsets += [onnx.helper.make_opsetid(each, version) for each, version in domains.items()]
    return onnx.helper.make_function("own", name, ["x"], ["y"], nodes, opsets)


@hostile("custom_operator")
def onnx_custom_in_a_function(folder: Path) -> Path:
    inner = function("F", [custom()], **{"evil.domain": 1})
    return saved(model([custom("F", "own")], functions=[inner], own=1), folder)


def overloaded(called: str, defined: str) -> Any:
    """A model that calls one overload of a function, and defines one."""
    node, inner = custom("F", "own"), function("F", [relu()])
    node.overload, inner.overload = called, defined
    return model([node], functions=[inner], own=1)


@hostile("custom_operator", other_domain=("other", "F", ""), other_name=("own", "G", ""), other_overload=("own", "F", "second"))
def onnx_custom_beside_a_function(folder: Path, other: tuple[str, str, str]) -> Path:
    domain, name, overload = other
    node = custom(name, domain)
    node.overload = overload
    return saved(model([node], functions=[function("F", [relu()])], **{domain: 1}), folder)


@hostile("custom_operator")
def onnx_custom_of_which_only_an_overload_is_a_function(folder: Path) -> Path:
    return saved(overloaded("", "first"), folder)


@hostile("custom_operator")
def onnx_custom_in_training(folder: Path) -> Path:
    made = model([relu()])
    made.training_info.add().algorithm.node.append(custom())
    return saved(made, folder)


@hostile("python_operator", contrib="ai.onnx.contrib", microsoft="com.microsoft", numbered="com.microsoft.PyOp")
def onnx_python(folder: Path, domain: str) -> Path:
    name = {"ai.onnx.contrib": "PyOp", "com.microsoft": "PythonOp"}.get(domain, "pyop_2")
    return saved(model([custom(name, domain)], **{domain: 1}), folder)


@hostile("recursive_function")
def onnx_recursion(folder: Path) -> Path:
    return saved(model([custom("F", "own")], functions=[function("F", [custom("F", "own")])], own=1), folder)


@hostile("recursive_function")
def onnx_recursion_of_two(folder: Path) -> Path:
    both = [function("F", [custom("G", "own")]), function("G", [custom("F", "own")])]
    return saved(model([custom("F", "own")], functions=both, own=1), folder)


@hostile("recursive_function")
def onnx_functions_that_double(folder: Path) -> Path:
    def twice(name: str) -> list[Any]:
        return [onnx.helper.make_node(name, ["x"], ["m"], domain="own"), onnx.helper.make_node(name, ["m"], ["y"], domain="own")]

    listed = [function("F0", [relu()])] + [function(f"F{i}", twice(f"F{i - 1}")) for i in range(1, 40)]
    return saved(model([custom("F39", "own")], functions=listed, own=1), folder)


@hostile("past_end")
def onnx_dimensions(folder: Path) -> Path:
    weight = onnx.TensorProto(name="w", data_type=1, dims=[-4, 1 << 40])
    return saved(model([relu()], [weight]), folder)


@hostile("past_end")
def onnx_field_past_the_end(folder: Path) -> Path:
    path = saved(model([relu()]), folder)
    path.write_bytes(path.read_bytes() + b"\x3a\xff\xff\xff\xff\x07" + b"x")
    return path


# Names


class Marks:
    """Unpickled, it makes the marker."""

    def __init__(self, folder: Path):
        self.folder = folder

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.folder / MARKER}",)


def pickled(folder: Path, protocol: int = 4) -> bytes:
    return pickle.dumps(Marks(folder), protocol)


def zipped(members: dict[str, bytes]) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return data.getvalue()


def torch_file(folder: Path) -> bytes:
    """As torch.save writes it, with a pickle that runs something."""
    return zipped({"archive/data.pkl": pickled(folder, 2), "archive/version": b"3\n", "archive/byteorder": b"little"})


ELF = b"\x7fELF\x02\x01\x01" + bytes(200)


@hostile(
    "disguised",
    onnx="model.onnx",
    gguf="model.gguf",
    safetensors="model.safetensors",
    json="config.json",
    npy="x.npy",
    text="a.txt",
)
def pickle_named(folder: Path, name: str) -> Path:
    (folder / name).write_bytes(pickled(folder))
    return folder / name


@hostile("disguised", onnx="model.onnx", safetensors="model.safetensors", xml="model.xml")
def archive_named(folder: Path, name: str) -> Path:
    (folder / name).write_bytes(torch_file(folder))
    return folder / name


@hostile("program", onnx="model.onnx", weights="model.safetensors", nothing="model")
def program_named(folder: Path, name: str) -> Path:
    (folder / name).write_bytes(ELF)
    return folder / name


@hostile("disguised")
def onnx_weights_that_are_a_pickle(folder: Path) -> Path:
    path = with_weights(folder)
    (folder / "w.data").write_bytes(pickled(folder) + bytes(128))
    return path


# OpenVINO IR

IR = """<?xml version="1.0"?>{doctype}
<net name="m" version="11">
  <layers>
    <layer id="0" name="x" type="Parameter" version="opset1"><data shape="1,4" element_type="f32"/><output><port id="0"
      precision="FP32"><dim>1</dim><dim>4</dim></port></output></layer>
    <layer id="1" name="w" type="Const" version="opset1"><data element_type="f32" shape="4,4" offset="{offset}" size="{size}"/>
      <output><port id="0" precision="FP32"><dim>4</dim><dim>4</dim></port></output></layer>
    <layer id="2" name="op" type="{kind}" version="{version}">{inner}</layer>
    <layer id="3" name="y" type="Result" version="opset1"><input><port id="0"/></input></layer>
  </layers>
  <edges><edge from-layer="0" from-port="0" to-layer="2" to-port="0"/>
    <edge from-layer="1" from-port="0" to-layer="2" to-port="1"/>
    <edge from-layer="2" from-port="2" to-layer="3" to-port="0"/></edges>
</net>
"""
LAUGHS = '<!DOCTYPE net [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]>'
FILE = '<!DOCTYPE net [<!ENTITY f SYSTEM "file:///etc/hostname">]>'
BODY = '<body><layers><layer id="0" name="e" type="Evil" version="extension"/></layers><edges/></body>'


def ir(folder: Path, weights: bytes = bytes(64), **changes: Any) -> Path:
    values = {"doctype": "", "offset": 0, "size": 64, "kind": "MatMul", "version": "opset1", "inner": ""} | changes
    (folder / "model.xml").write_text(IR.format(**values))
    (folder / "model.bin").write_bytes(weights)
    return folder / "model.xml"


@hostile(
    "custom_operator",
    extension={"kind": "Evil", "version": "extension"},
    no_such_opset={"version": "opset99"},
    no_opset={"version": ""},
    like_an_opset={"version": "opset1.evil"},
    in_a_body={"kind": "TensorIterator", "inner": BODY},
)
def ir_custom(folder: Path, changes: dict[str, Any]) -> Path:
    return ir(folder, **changes)


@hostile(
    "past_end",
    beyond={"offset": 1 << 40},
    just_beyond={"offset": 4},
    longer={"size": 1 << 50},
    below_zero={"offset": -16},
    shorter={"size": 8},
)
def ir_constant(folder: Path, changes: dict[str, Any]) -> Path:
    return ir(folder, **changes)


@hostile("entities", laughs=LAUGHS, file=FILE, empty="<!DOCTYPE net>")
def ir_document_type(folder: Path, doctype: str) -> Path:
    return ir(folder, doctype=doctype)


@hostile("disguised")
def ir_weights_that_are_a_pickle(folder: Path) -> Path:
    return ir(folder, weights=pickled(folder) + bytes(64))


# GGUF


def word(text: str | bytes, length: int | None = None) -> bytes:
    data = text.encode() if isinstance(text, str) else text
    return struct.pack("<Q", len(data) if length is None else length) + data


def pair(key: str, text: str) -> bytes:
    return word(key) + struct.pack("<I", 8) + word(text)


def gguf(pairs: list[bytes], tensors: list[bytes], data: int = 0, keys: int | None = None, count: int | None = None) -> bytes:
    counts = struct.pack("<QQ", len(tensors) if count is None else count, len(pairs) if keys is None else keys)
    head = b"GGUF" + struct.pack("<I", 3) + counts + b"".join(pairs) + b"".join(tensors)
    return head + bytes(-len(head) % 32) + bytes(data)


def tensor(name: str, dims: list[int], offset: int = 0) -> bytes:
    return word(name) + struct.pack("<I", len(dims)) + struct.pack(f"<{len(dims)}Q", *dims) + struct.pack("<IQ", 0, offset)


def sound_gguf(folder: Path, *more: bytes) -> Path:
    pairs = [pair("general.architecture", "llama"), *more]
    (folder / "model.gguf").write_bytes(gguf(pairs, [tensor("token_embd.weight", [8, 4])], 128))
    return folder / "model.gguf"


ARCHITECTURE = ("general.architecture", "llama")
LIES: dict[str, Callable[[], bytes]] = {
    "tensors": lambda: gguf([pair(*ARCHITECTURE)], [], count=1 << 60),
    "keys": lambda: gguf([pair(*ARCHITECTURE)], [], keys=1 << 40),
    "text": lambda: gguf([word("a") + struct.pack("<I", 8) + word("x", 1 << 50)], []),
    "name": lambda: gguf([word("a", 1 << 33)], []),
    "list": lambda: gguf([word("a") + struct.pack("<IIQ", 9, 0, 1 << 61)], []),
    "words": lambda: gguf([word("a") + struct.pack("<IIQ", 9, 8, 1 << 61)], []),
    "dimensions": lambda: gguf([pair(*ARCHITECTURE)], [tensor("w", [1 << 40, 1 << 40])], 64),
    "offset": lambda: gguf([pair(*ARCHITECTURE)], [tensor("w", [8], 1 << 40)], 64),
    "data": lambda: gguf([pair(*ARCHITECTURE)], [tensor("w", [1 << 20])], 64),
    "rank": lambda: gguf([pair(*ARCHITECTURE)], [word("w") + struct.pack("<I", 1 << 30)], 64),
}


@hostile("past_end", **LIES)
def gguf_lie(folder: Path, made: Callable[[], bytes]) -> Path:
    (folder / "model.gguf").write_bytes(made())
    return folder / "model.gguf"


@hostile(
    "ambiguous",
    overlapping=[tensor("v", [8], 0), tensor("w", [8], 0)],
    twice=[tensor("w", [8], 0), tensor("w", [8], 32)],
    gap=[tensor("v", [8], 0), tensor("w", [8], 96)],
)
def gguf_tensors(folder: Path, tensors: list[bytes]) -> Path:
    (folder / "model.gguf").write_bytes(gguf([pair(*ARCHITECTURE)], tensors, 256))
    return folder / "model.gguf"


LOOPS = {
    "range": "{% for i in range(1000000000) %}x{% endfor %}",
    "nested": "".join(f"{{% for {c} in range(9999) %}}" for c in "ijk") + "x" + "{% endfor %}" * 3,
    "product": "{% for i in range(messages|length * 10000000) %}x{% endfor %}",
    "named": "{% set r = range(99999) %}{% for i in r %}{% for j in r %}x{% endfor %}{% endfor %}",
    "letters": "".join("{% for c in 'aaaaaaaaaa' %}" for _ in range(9)) + "x" + "{% endfor %}" * 9,
    "macro": "{% macro f(x) %}{{ f(x) }}{% endmacro %}{{ f(1) }}",
    "macros": "{% macro f(x) %}{{ g(x) }}{% endmacro %}{% macro g(x) %}{{ f(x) }}{% endmacro %}{{ f(1) }}",
    "guarded": "{% macro f(x) %}{% if x %}{{ f(x) }}{% endif %}{% endmacro %}{{ f(1) }}",
    "counted": "{% macro f(n) %}{% if n > 0 %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(99) }}",
    "doubled": "{% set ns = namespace(x='a') %}{% for i in range(64) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}{{ ns.x }}",
    "repeated": "{{ 'a' * 1000000000000 }}",
    "recursive": "{% for m in messages recursive %}{{ loop(messages) }}{% endfor %}",
    "long": "{# " + "x" * 9000 + " #}{% for i in range(10 ** 9) %}x{% endfor %}",
}
INSIDES = {
    "class": "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "item": "{{ messages['__class__'] }}",
    "filter": "{{ messages|attr('__cla' ~ 'ss__') }}",
    "globals": "{{ cycler.__init__.__globals__.os.popen('true').read() }}",
    "joined": "{{ messages['__cl' ~ 'ass__'] }}",
    "escaped": "{{ messages['\\x5f\\x5fclass\\x5f\\x5f'] }}",
    "included": "{% include '/etc/hostname' %}",
    "format": "{{ '{0.__class__.__init__}'.format(messages) }}",
}


@hostile("template_loop", **LOOPS)
def gguf_template(folder: Path, text: str) -> Path:
    return sound_gguf(folder, pair("tokenizer.chat_template", text))


@hostile("template_insides", **INSIDES)
def gguf_template_reaches(folder: Path, text: str) -> Path:
    return sound_gguf(folder, pair("tokenizer.chat_template.tool_use", text))


# safetensors


def safetensors(header: Any, data: int = 0, length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + bytes(data)


def stored(start: int, stop: int, shape: list[int] | None = None) -> dict[str, Any]:
    return {"dtype": "F32", "shape": [(stop - start) // 4] if shape is None else shape, "data_offsets": [start, stop]}


SOUND = safetensors({"w": stored(0, 64)}, 64)


@hostile(
    "past_end",
    header=safetensors({"w": stored(0, 64)}, 64, 1 << 62),
    header_longer=safetensors({"w": stored(0, 64)}, 64, 1 << 12),
    data=safetensors({"w": stored(0, 64)}, 16),
    shape=safetensors({"w": stored(0, 64, [1 << 40])}, 64),
    start=safetensors({"w": stored(1 << 40, (1 << 40) + 64)}, 64),
)
def safetensors_lie(folder: Path, content: bytes) -> Path:
    (folder / "model.safetensors").write_bytes(content)
    return folder / "model.safetensors"


@hostile(
    "ambiguous",
    overlapping=safetensors({"v": stored(0, 64), "w": stored(32, 96)}, 96),
    gap=safetensors({"v": stored(0, 32), "w": stored(64, 96)}, 96),
    behind=safetensors({"w": stored(0, 64)}, 96),
    twice=safetensors(
        b'{"w": {"dtype":"F32","shape":[8],"data_offsets":[0,32]}, "w": {"dtype":"F32","shape":[8],"data_offsets":[0,32]}}', 32
    ),
)
def safetensors_two_ways(folder: Path, content: bytes) -> Path:
    (folder / "model.safetensors").write_bytes(content)
    return folder / "model.safetensors"


# Hugging Face folders


def hugging(folder: Path, **files: Any) -> Path:
    """A folder with a configuration and weights; `files` are written too, JSON where they are no bytes."""
    place = folder / "model"
    place.mkdir()
    base: dict[str, Any] = {
        "config.json": {"model_type": "llama"},
        "model.safetensors": SOUND,
        "tokenizer.json": {"auto_map": "a word"},
    }
    for name, content in (base | files).items():
        (place / name).write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return place


@hostile(
    "remote_code",
    of_texts={"config.json": {"auto_map": {"AutoConfig": "configuration_x.XConfig"}}},
    of_lists={"tokenizer_config.json": {"auto_map": {"AutoTokenizer": ["tokenization_x.X", None]}}},
    a_text={"config.json": {"auto_map": "somebody/code--modeling_x.X"}},
    a_list={"tokenizer_config.json": {"auto_map": ["tokenization_x.X", "tokenization_x.XFast"]}},
    of_generation={"generation_config.json": {"auto_map": {"GenerationConfig": "somebody/code--generation.G"}}},
    of_processor={"processor_config.json": {"auto_map": {"AutoProcessor": "processing_x.X"}}},
    of_images={"preprocessor_config.json": {"auto_map": {"AutoImageProcessor": "image_x.X"}}},
    nested={"config.json": {"text_config": {"auto_map": {"AutoModel": "m.X"}}}},
    trusted={"config.json": {"trust_remote_code": True}},
    pipelines={"config.json": {"custom_pipelines": {"x": {"impl": "x.Pipe", "pt": ["AutoModel"]}}}},
    hydra={"config.json": {"model": {"_target_": "os.system", "command": "true"}}},
    hidden=({"config.json": b'{"auto_map": {"AutoModel": "m.X"}, "model_type": "llama", "auto_map": null}'}),
    modules={"modules.json": [{"idx": 0, "name": "0", "path": "", "type": "evil.module.Class"}]},
)
def hugging_code(folder: Path, files: dict[str, Any]) -> Path:
    return hugging(folder, **files)


@hostile("program", python="modeling_x.py", library="lib.so", script="setup.sh", versioned="lib.so.1", compiled="x.pyc")
def hugging_program(folder: Path, name: str) -> Path:
    return hugging(folder, **{name: b"print()\n"})


@hostile("program")
def hugging_script_without_a_name(folder: Path) -> Path:
    return hugging(folder, run=b"#!/bin/sh\ntrue\n")


@hostile("index_path", parent="../../w.safetensors", absolute="/etc/w.safetensors", address="https://e.example/w.safetensors")
def hugging_index(folder: Path, place: str) -> Path:
    return hugging(folder, **{"model.safetensors.index.json": {"weight_map": {"w": place}}})


@hostile("link", file="/etc/hostname", folder="/etc")
def hugging_link(folder: Path, end: str) -> Path:
    place = hugging(folder)
    (place / "vocab.txt").symlink_to(end)
    return place


@hostile("template_loop")
def hugging_template(folder: Path) -> Path:
    return hugging(folder, **{"tokenizer_config.json": {"chat_template": LOOPS["nested"]}})


@hostile("template_insides")
def hugging_templates(folder: Path) -> Path:
    listed = [{"name": "default", "template": "{{ messages }}"}, {"name": "tool_use", "template": INSIDES["class"]}]
    return hugging(folder, **{"tokenizer_config.json": {"chat_template": listed}})


@hostile("template_loop")
def hugging_template_file(folder: Path) -> Path:
    return hugging(folder, **{"chat_template.jinja": LOOPS["macro"].encode()})


@hostile("runs_code")
def hugging_pickle_beside(folder: Path) -> Path:
    return hugging(folder, **{"pytorch_model.bin": torch_file(folder)})


def _linked(file: Any) -> None:
    import h5py

    file["layers/w"] = h5py.ExternalLink("/etc/hostname", "x")


def _stored_outside(file: Any) -> None:
    file.create_group("layers").create_dataset("w", (4,), "u1", external=[("/etc/hostname", 0, 4)])


def _made_of_others(file: Any) -> None:
    import h5py

    layout = h5py.VirtualLayout(shape=(4,), dtype="u1")
    layout[:] = h5py.VirtualSource("/etc/hostname", "x", shape=(4,))
    file.create_virtual_dataset("w", layout)


@hostile("hdf5_elsewhere", link=_linked, storage=_stored_outside, virtual=_made_of_others)
def hdf5(folder: Path, fill: Callable[[Any], None]) -> Path:
    import h5py

    with h5py.File(folder / "model.weights.h5", "w") as file:
        fill(file)
    return folder / "model.weights.h5"


@hostile(
    "remote_code",
    module={"base_model_class": "Pwn", "parent_library": "evilmod"},
    like_a_known_one={"base_model_class": "Pwn", "parent_library": "transformers_evil"},
    not_text={"base_model_class": "Pwn", "parent_library": ["os"]},
)
def hugging_adapter(folder: Path, mapping: dict[str, Any]) -> Path:
    return hugging(folder, **{"adapter_config.json": {"peft_type": "LORA", "auto_mapping": mapping}})


# NumPy


def array(text: str, data: int = 32) -> bytes:
    header = text.encode() + b" " * (-(len(text) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + bytes(data)


def shaped(shape: str, kind: str = "'<f4'", data: int = 32) -> bytes:
    return array(f"{{'descr': {kind}, 'fortran_order': False, 'shape': {shape}, }}", data)


@hostile("object_array", plain="'|O'", structured="[('a', '<f4'), ('b', '|O')]", nested="[('a', [('b', 'O')])]")
def numpy_objects(folder: Path, kind: str) -> Path:
    (folder / "x.npy").write_bytes(shaped("(4,)", kind))
    return folder / "x.npy"


@hostile("object_array")
def numpy_objects_in_an_archive(folder: Path) -> Path:
    np.savez(folder / "x.npz", a=np.zeros(3, np.float32), b=np.array([Marks(folder)], dtype=object))
    return folder / "x.npz"


@hostile("object_array")
def numpy_pickle_in_an_archive(folder: Path) -> Path:
    (folder / "x.npz").write_bytes(zipped({"a.npy": pickled(folder)}))
    return folder / "x.npz"


@hostile("past_end", npy="x.npy", npz="x.npz")
def numpy_shape(folder: Path, name: str) -> Path:
    content = shaped("(1099511627776,)")
    (folder / name).write_bytes(zipped({"a.npy": content}) if name.endswith("z") else content)
    return folder / name


@hostile("archive_path", parent="../../a.npy", absolute="/tmp/a.npy", windows="..\\\\a.npy")
def numpy_member(folder: Path, name: str) -> Path:
    (folder / "x.npz").write_bytes(zipped({name: shaped("(8,)")}))
    return folder / "x.npz"


@hostile("bomb")
def numpy_bomb(folder: Path) -> Path:
    """An archive that says of a member that it is very large."""
    data = bytearray(zipped({"a.npy": shaped("(8,)")}))
    at = data.rindex(b"PK\x01\x02")
    data[at + 24 : at + 28] = struct.pack("<I", 0xFFFFFFF0)
    (folder / "x.npz").write_bytes(data)
    extra = zipped({"a.npy": shaped("(8,)"), "b.npy": shaped("(8,)")})
    whole = bytearray(extra)
    for _ in range(2):
        at = whole.index(b"PK\x01\x02", at + 1 if _ else 0)
        whole[at + 24 : at + 28] = struct.pack("<I", 0xFFFFFFF0)
    (folder / "x.npz").write_bytes(whole)
    return folder / "x.npz"


@hostile("bomb")
def numpy_members_in_one_another(folder: Path) -> Path:
    whole = bytearray(zipped({"a.npy": shaped("(8,)"), "b.npy": shaped("(8,)")}))
    second = whole.index(b"PK\x01\x02", whole.index(b"PK\x01\x02") + 1)
    whole[second + 42 : second + 46] = struct.pack("<I", 8)
    (folder / "x.npz").write_bytes(whole)
    return folder / "x.npz"


@hostile("ambiguous")
def numpy_member_twice(folder: Path) -> Path:
    data = zipped({"a.npy": shaped("(8,)"), "b.npy": shaped("(8,)")}).replace(b"b.npy", b"a.npy")
    (folder / "x.npz").write_bytes(data)
    return folder / "x.npz"


# Pickles and their kin


@hostile("runs_code", protocol_0=0, protocol_2=2, protocol_4=4, protocol_5=5)
def pickle_of(folder: Path, protocol: int) -> Path:
    (folder / "model.pkl").write_bytes(pickled(folder, protocol))
    return folder / "model.pkl"


BY_HAND = {
    "eval": b"cbuiltins\neval\n(S'1'\ntR.",
    "import": b"c__builtin__\n__import__\n(S'os'\ntR.",
    "subprocess": b"csubprocess\nPopen\n((lp0\nS'true'\naItR.",
    "runpy": b"crunpy\n_run_code\n(S'1'\n}tR.",
    "cut_short": b"cos\nsystem\n(S'true'\ntR",
    "instance": b"(S'true'\nios\nsystem\n.",
    "getattr": b"\x80\x04cbuiltins\ngetattr\n(cos\npath\nX\x06\x00\x00\x00systemtR.",
    "named_bin": b"\x80\x02cposix\nsystem\n(X\x04\x00\x00\x00truetR.",
    "exec_module": b"\x80\x02cimportlib\nimport_module\n(X\x02\x00\x00\x00ostR.",
    "numpy_inside": b"\x80\x02cnumpy.testing._private.utils\nrunstring\n(X\x01\x00\x00\x001}tR.",
    "torch_hub": b"\x80\x02ctorch.hub\nload\n(X\x03\x00\x00\x00a/btR.",
    "debugger": b"\x80\x02cpdb\nrun\n(X\x01\x00\x00\x001tR.",
    "timeit": b"\x80\x02ctimeit\ntimeit\n(X\x01\x00\x00\x001tR.",
    "web": b"\x80\x02curllib.request\nurlopen\n(X\x08\x00\x00\x00http://etR.",
    "pickle_in_pickle": b"\x80\x02c_pickle\nloads\n(B\x01\x00\x00\x00.tR.",
}


@hostile("runs_code", **BY_HAND)
def pickle_by_hand(folder: Path, content: bytes) -> Path:
    (folder / "model.bin").write_bytes(content)
    return folder / "model.bin"


@hostile("runs_code", pt="model.pt", pth="model.pth", bin="pytorch_model.bin", ckpt="model.ckpt")
def torch_pickle(folder: Path, name: str) -> Path:
    (folder / name).write_bytes(torch_file(folder))
    return folder / name


@hostile("runs_code")
def joblib_pickle(folder: Path) -> Path:
    (folder / "model.joblib").write_bytes(pickled(folder))
    return folder / "model.joblib"


@hostile("runs_code")
def pickle_in_an_archive(folder: Path) -> Path:
    (folder / "model.zip").write_bytes(zipped({"inner/model.pkl": pickled(folder)}))
    return folder / "model.zip"


@hostile("runs_code")
def pickle_in_a_tar(folder: Path) -> Path:
    return _tar(folder, tarfile.TarInfo("model.pkl"), pickled(folder))


@hostile("archive_path")
def archive_that_leaves(folder: Path) -> Path:
    (folder / "model.zip").write_bytes(zipped({"../../evil": b"x"}))
    return folder / "model.zip"


@hostile("archive_path", parent="../../evil", absolute="/tmp/evil")
def tar_that_leaves(folder: Path, name: str) -> Path:
    return _tar(folder, tarfile.TarInfo(name), b"x")


@hostile("archive_path")
def tar_with_a_link(folder: Path) -> Path:
    link = tarfile.TarInfo("weights")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/hostname"
    return _tar(folder, link, b"")


def _tar(folder: Path, member: tarfile.TarInfo, content: bytes) -> Path:
    member.size = len(content)
    with tarfile.open(folder / "model.tar", "w") as archive:
        archive.addfile(member, io.BytesIO(content))
    return folder / "model.tar"


KERAS = {
    "module": "keras", "class_name": "Functional", "registered_name": None,
    "config": {"name": "m", "layers": [{
        "module": "keras.layers", "class_name": "Lambda", "registered_name": None, "name": "evil",
        "config": {"name": "evil", "function": {"class_name": "__lambda__", "config": {"code": "4wEAAAA=", "defaults": None}}},
    }]},
}  # fmt: skip


@hostile("runs_code")
def keras_lambda(folder: Path) -> Path:
    members = {"config.json": json.dumps(KERAS).encode(), "metadata.json": b'{"keras_version": "3.0.0"}', "model.weights.h5": b""}
    (folder / "model.keras").write_bytes(zipped(members))
    return folder / "model.keras"
