"""Techniques that write the original in another way, each in the one it is named after; `changed` changes a weight."""

import shutil

import onnx
from onnx import helper, numpy_helper

from gatekeeper.frameworks import onnx_runtime as ort

EXTRA, REQUIRES = "none", ("onnxruntime",)
NOTHING = ("bytes", "beside_a_note", "renamed", "stamped", "data_apart", "constants_as_nodes", "in_a_function", "default_written")
TECHNIQUES = {name: name for name in (*NOTHING, "changed")}
open_session = ort.open_session


def supports(model_format, device):
    return None


def defaults(model_format, device):
    return ("changed",)


def refuses(technique, model, calibrated):
    return None


def optimize(job):
    target = job.destination / "model.onnx"
    if job.technique in ("bytes", "beside_a_note"):
        shutil.copyfile(job.source, target)
        if job.technique == "beside_a_note":
            (job.destination / "note.txt").write_text("made by copies")
        return
    model = onnx.load(str(job.source))
    globals()[f"_{job.technique}"](model)
    apart = job.technique == "data_apart"
    onnx.save(model, str(target), save_as_external_data=apart, location="weights" if apart else None, size_threshold=0)


def _renamed(model):
    graph = model.graph
    inner = {name for node in graph.node for name in node.output} - {value.name for value in graph.output}
    inner |= {tensor.name for tensor in graph.initializer}
    for node in graph.node:
        node.name = f"new_{node.name}"
        for names in (node.input, node.output):
            names[:] = [f"new_{name}" if name in inner else name for name in names]
    for tensor in graph.initializer:
        tensor.name = f"new_{tensor.name}"
    graph.initializer.sort(key=lambda tensor: tensor.name, reverse=True)


def _stamped(model):
    model.opset_import[0].version += 1
    model.ir_version += 1
    model.producer_name, model.doc_string, model.graph.doc_string = "copies", "a copy", "of a graph"
    model.metadata_props.add(key="optimized", value="yes")
    model.opset_import.append(helper.make_opsetid("com.microsoft", 1))


def _data_apart(model):
    pass


def _constants_as_nodes(model):
    tensors = list(model.graph.initializer)
    del model.graph.initializer[:]
    nodes = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend(helper.make_node("Constant", [], [tensor.name], value=tensor) for tensor in tensors)
    model.graph.node.extend(nodes)


def _in_a_function(model):
    node = model.graph.node[0]
    body = helper.make_node(node.op_type, ["a", "b"], ["c"])
    model.functions.append(helper.make_function("own", "Whole", ["a", "b"], ["c"], [body], [model.opset_import[0]]))
    model.opset_import.append(helper.make_opsetid("own", 1))
    node.op_type, node.domain = "Whole", "own"


def _default_written(model):
    for node in model.graph.node:
        if node.op_type == "Softmax":
            node.attribute.append(helper.make_attribute("axis", -1))


def _changed(model):
    tensor = model.graph.initializer[0]
    values = numpy_helper.to_array(tensor).copy()
    values.flat[0] *= 1.001
    tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
