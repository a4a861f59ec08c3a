"""A text model of transformers as an OpenVINO model that keeps its key-value cache between calls.

Inputs and output are those OpenVINO GenAI expects of an openvino_model.xml:

    input_ids, attention_mask, position_ids    int64 [batch, n], [batch, past + n], [batch, n]
    beam_idx                                   int32 [batch], which sequence of the last call each one continues
    logits                                     float32 [batch, n, vocabulary]
"""

from __future__ import annotations

import warnings
from typing import Any

from gatekeeper.errors import NotMeasured

_INPUTS = ("input_ids", "attention_mask", "position_ids")


def convert(model: Any) -> Any:
    """The `openvino.Model` of a causal language model, in the precision of its weights."""
    config = model.config
    if config.rope_parameters.get("rope_type") == "dynamic":
        raise NotMeasured("unsupported", "its rotary frequencies depend on the length of the text, which a graph cannot follow.")
    made = _trace(model)
    names = _name_ports(made, config)
    _reorder_by_beam(made, names)
    _make_stateful(made, names)
    return made


def _trace(model: Any) -> Any:
    import openvino
    import torch

    config = model.config
    caches = 2 * config.num_hidden_layers
    past, new = 3, 2
    width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    example = {
        "input_ids": torch.zeros(2, new, dtype=torch.long),
        "attention_mask": torch.ones(2, past + new, dtype=torch.long),
        "position_ids": torch.arange(past, past + new).repeat(2, 1),
        "past": tuple(torch.zeros(2, config.num_key_value_heads, past, width) for _ in range(caches)),
    }

    class Step(torch.nn.Module):  # type: ignore[misc]
        """One call, with the cache as plain tensors."""

        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, input_ids: Any, attention_mask: Any, position_ids: Any, past: Any) -> Any:
            cache = _Cache(past)
            output = self.model(
                input_ids=input_ids,
                attention_mask=_masks(self.model, attention_mask, input_ids.shape[1]),
                position_ids=position_ids,
                past_key_values=cache,
                use_cache=True,
            )
            return (output.logits, *cache.tensors)

    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # what tracing cannot follow is not reached: the mask is always given
        step = Step()
        step(**example)  # some rotary embeddings compute their frequencies on the first call
        return openvino.convert_model(step, example_input=example)


class _Cache:
    """What transformers asks of a key-value cache."""

    def __init__(self, past: Any):
        self.tensors = list(past)

    def get_seq_length(self, layer: int = 0) -> Any:
        return self.tensors[2 * layer].shape[2]

    def update(self, keys: Any, values: Any, layer: int, *_: Any, **__: Any) -> Any:
        import torch

        for i, new in ((2 * layer, keys), (2 * layer + 1, values)):
            self.tensors[i] = torch.cat([self.tensors[i], new], dim=-2)
        return self.tensors[2 * layer], self.tensors[2 * layer + 1]


def _masks(model: Any, attention_mask: Any, new: Any) -> Any:
    """What is added to attention scores: 0 for the past a token sees, the smallest number for the rest.

    Made here, because transformers' own mask code cannot be traced.
    """
    import torch

    total = attention_mask.shape[1]
    keys = torch.arange(total)[None, :]
    queries = (torch.arange(new) + (total - new))[:, None]
    seen, window = keys <= queries, model.config.sliding_window if hasattr(model.config, "sliding_window") else None
    near = seen & (keys > queries - window) if window else seen

    def added(visible: Any) -> Any:
        visible = visible[None, None] & (attention_mask[:, None, None, :] != 0)
        return torch.where(visible, 0.0, torch.finfo(torch.float32).min)

    if hasattr(model.model, "has_sliding_layers"):  # layers differ
        return {"full_attention": added(seen), "sliding_attention": added(near)}
    return added(near)


def _name_ports(model: Any, config: Any) -> dict[str, str]:
    """Name inputs and outputs; what comes back maps a cache's input to its output."""
    for name, port in zip(_INPUTS, model.inputs, strict=False):
        port.tensor.set_names({name})
    model.outputs[0].tensor.set_names({"logits"})
    names = {}
    for i, (before, after) in enumerate(zip(model.inputs[len(_INPUTS) :], model.outputs[1:], strict=True)):
        layer, kind = divmod(i, 2)
        names[f"past_key_values.{layer}.{('key', 'value')[kind]}"] = f"present.{layer}.{('key', 'value')[kind]}"
        before.tensor.set_names({list(names)[-1]})
        after.tensor.set_names({names[list(names)[-1]]})
        shape = before.partial_shape  # traced with one of any length: the heads and their width are known
        shape[1] = config.num_key_value_heads
        shape[3] = after.partial_shape[3]
        before.node.set_partial_shape(shape)
    return names


def _reorder_by_beam(model: Any, names: dict[str, str]) -> None:
    """Caches go through a Gather by `beam_idx`: OpenVINO keeps them in place only where it finds that pattern."""
    import openvino
    from openvino import opset13 as operators

    beam = operators.parameter(openvino.PartialShape([-1]), openvino.Type.i32, name="beam_idx")
    beam.output(0).tensor.set_names({"beam_idx"})
    model.add_parameters([beam])
    for name in names:
        port = model.input(name)
        users = port.get_target_inputs()
        chosen = operators.gather(port, beam, operators.constant(0))
        for user in users:
            user.replace_source_output(chosen.output(0))
    model.validate_nodes_and_infer_types()


def _make_stateful(model: Any, names: dict[str, str]) -> None:
    """Caches become the model's own state, empty at first."""
    import numpy as np
    from openvino import opset13 as operators
    from openvino._offline_transformations import apply_make_stateful_transformation

    apply_make_stateful_transformation(model, names)
    batch = operators.gather(operators.shape_of(model.input("input_ids")), operators.constant([0]), operators.constant(0))
    for node in model.get_ops():
        if node.get_type_name() == "ReadValue":
            shape = node.get_output_partial_shape(0)
            rest = [0 if dimension.is_dynamic else dimension.get_length() for dimension in list(shape)[1:]]
            sizes = operators.concat([batch, operators.constant(np.array(rest, dtype=np.int64))], 0)
            node.set_arguments([operators.broadcast(operators.constant(np.float32(0)), sizes)])
    model.validate_nodes_and_infer_types()
