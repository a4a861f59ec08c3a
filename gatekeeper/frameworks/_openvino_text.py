"""Text models in OpenVINO: which ones, what can be done to them, and the session that runs them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatekeeper.errors import NotMeasured
from gatekeeper.frameworks._base import ORIGINAL, likeliest
from gatekeeper.frameworks._openvino_device import compile_on, ran_on, read, split_hint

if TYPE_CHECKING:
    from gatekeeper.models.info import Assessment, TextInfo

FAMILIES = {
    "gguf": ("llama", "mistral", "phi3", "qwen2", "qwen3"),
    "huggingface": ("granite", "llama", "mistral", "olmo2", "phi3", "qwen2", "qwen3", "smollm3"),
}
DEVICES = ("cpu", "gpu")
TECHNIQUES = ("fp16", "int8_weight_only", "int4_weight_only")
MODEL = "openvino_model.xml"
"""What OpenVINO GenAI calls it; a folder with this file holds a text model."""

_SMALLEST_GROUP = 32
_TECHNIQUE = ["gatekeeper", "technique"]
# The CPU's defaults are bfloat16 where it has it, an 8-bit cache, and activations in 8 bits beside compressed weights.
_EXACT = {"INFERENCE_PRECISION_HINT": "f32", "KV_CACHE_PRECISION": "f32", "DYNAMIC_QUANTIZATION_GROUP_SIZE": 0}


def supports(device: str) -> str | None:
    """None, or why OpenVINO's text models cannot run on this device."""
    name, _, hint = device.partition(":")
    if name not in DEVICES:
        return f"text models keep a state, and run in OpenVINO on {' and '.join(DEVICES)} only, not on {name}"
    return f"text models write one token after another; a hint for {hint} is for others" if hint == "throughput" else None


def refuses(technique: str, model: Assessment, text: TextInfo) -> str | None:
    """None, or why the technique cannot be applied to a text model."""
    known = FAMILIES[model.format]
    if text.family not in known:
        return f"this version takes the families {', '.join(known)} to OpenVINO, not {text.family or 'one without a name'}"
    if technique == ORIGINAL:
        return None
    if technique not in TECHNIQUES:
        return f"it calibrates with tensors; text models take {', '.join(TECHNIQUES)}"
    if model.quantized:
        return "the model is already quantized; start from the floating-point export"
    # Groups are powers of two, or stay out; of one length all are multiples of 32, or the layer stays at 8 bits.
    if technique == "int4_weight_only" and not any(length % _SMALLEST_GROUP == 0 for length in text.row_lengths):
        lengths = ", ".join(map(str, text.row_lengths))
        return f"it groups weights by {_SMALLEST_GROUP} or more, which divides no row of this model (lengths {lengths})"
    return None


def write_original(source: Path, destination: Path) -> None:
    """Convert a Hugging Face folder or .gguf, in FP32, to the folder `destination`."""
    import openvino

    from gatekeeper.frameworks._openvino_convert import convert
    from gatekeeper.frameworks._torch_text import load

    model = convert(load(source))
    mark(model, ORIGINAL)
    openvino.save_model(model, destination / MODEL, compress_to_fp16=False)


def halve(model: Any) -> None:
    """Matrices to half precision, and nothing else.

    OpenVINO's own compression halves the rotary frequencies as well: thousands of tokens into a text, the angles are wrong.
    """
    from openvino import opset13 as operators
    from openvino._offline_transformations import compress_model_transformation

    vectors = {node.get_friendly_name(): node.data.copy() for node in model.get_ops() if _is_vector(node)}
    compress_model_transformation(model)
    for node in model.get_ops():
        whole = vectors.get(node.get_friendly_name().removesuffix("_compressed"))
        if node.get_type_name() != "Constant" or whole is None or node.get_element_type().to_string() != "f16":
            continue
        kept = operators.constant(whole)
        for widened in node.output(0).get_target_inputs():  # the Convert that makes 32 bits of it again
            for user in widened.get_node().output(0).get_target_inputs():
                user.replace_source_output(kept.output(0))
    model.validate_nodes_and_infer_types()


def _is_vector(node: Any) -> bool:
    if node.get_type_name() != "Constant" or node.get_element_type().to_string() != "f32":
        return False
    return bool(sum(size > 1 for size in node.get_output_shape(0)) < 2)


def mark(model: Any, technique: str) -> None:
    """Say in the model what was done to it."""
    model.set_rt_info(technique, _TECHNIQUE)


class OpenVINOTextSession:
    """A model that keeps its key-value cache; the original exact, variants as OpenVINO runs them by default."""

    inputs = ("tokens",)
    outputs = ("logits",)

    def __init__(self, folder: Path, threads: int, device: str):
        import openvino

        name, hint = split_hint(device)
        if reason := supports(device):
            raise NotMeasured("unsupported", f"{reason}. Choose another target.")
        core = openvino.Core()
        model = read(core, folder / MODEL)
        original = model.has_rt_info(_TECHNIQUE) and model.get_rt_info(_TECHNIQUE).astype(str) == ORIGINAL
        _choose_positions(model)
        settings: dict[str, Any] = {"PERFORMANCE_HINT": hint, **(_EXACT if original else {})}
        self._model = compile_on(core, model, name, threads, settings)
        self._request = self._model.create_infer_request()
        self._tensor, self._threads = openvino.Tensor, threads

    @property
    def ran_on(self) -> str:
        """The device, read back from OpenVINO."""
        return ran_on(self._model, self._threads)

    def run(self, feed: dict[str, Any]) -> list[Any]:
        """Logits of every position of feed["tokens"], from an empty context."""
        import numpy as np

        tokens = feed["tokens"]
        self._request.reset_state()
        return [self._step(tokens, 0, np.arange(tokens.shape[1])).copy()]

    def generate(self, feed: dict[str, Any]) -> Iterator[int]:
        """Yield feed["new_tokens"] token ids, the likeliest every time; the prompt is read in one go."""
        import numpy as np

        step, past, choose = feed["tokens"][None], 0, feed.get("choose", likeliest)
        self._request.reset_state()
        for _ in range(int(feed["new_tokens"])):
            count = step.shape[1]
            token = choose(self._step(step, past, np.array([count - 1]))[0, -1])
            yield token
            past += count
            step = np.array([[token]])

    def _step(self, tokens: Any, past: int, wanted: Any) -> Any:
        """Logits float32 [1, wanted, vocabulary] of new tokens; they lie in OpenVINO's own memory."""
        import numpy as np

        end = past + tokens.shape[1]
        feed = {
            "input_ids": tokens,
            "attention_mask": np.ones((1, end), dtype=np.int64),
            "position_ids": np.arange(past, end)[None],
            "beam_idx": np.zeros(1, dtype=np.int32),
            "wanted": wanted,
        }
        for name, array in feed.items():
            self._request.set_tensor(name, self._tensor(array))
        self._request.start_async()  # as OpenVINO GenAI does: a call that blocks runs elsewhere, and waits longer when others run
        self._request.wait()
        return self._request.get_output_tensor(0).data


def _choose_positions(model: Any) -> None:
    """Add the input `wanted`: positions whose logits are computed. Of a prompt that is gone on with, the last is enough."""
    import openvino
    from openvino import opset13 as operators

    node = model.output("logits").node
    while node.get_type_name() != "MatMul":
        node = node.input_value(0).get_node()
    wanted = operators.parameter(openvino.PartialShape([-1]), openvino.Type.i64, name="wanted")
    wanted.output(0).tensor.set_names({"wanted"})
    node.input(0).replace_source_output(operators.gather(node.input_value(0), wanted, operators.constant(1)).output(0))
    model.add_parameters([wanted])
    model.validate_nodes_and_infer_types()
