"""It takes more memory than it may."""

from __future__ import annotations

from collections.abc import Sequence

from gatekeeper.causes.diagnoses._base import ANY, Row
from gatekeeper.causes.seen import Seen, duration, fraction, size
from gatekeeper.records.explained import Fact

DESCRIPTION = "It takes more memory while it runs than a gate allows."
GATES = ("memory", "peak_mb")


def beyond_weights(seen: Seen) -> Sequence[Fact]:
    """What it takes beside its own file."""
    peak = seen.performance.peak_bytes if seen.performance else None
    artifact = seen.variant.artifact
    if not peak or artifact is None or peak <= artifact.bytes:
        return ()
    beside = peak - artifact.bytes
    return size("peak", peak), size("its file", artifact.bytes), fraction("not the file", beside / peak)


def loaded(seen: Seen) -> Sequence[Fact]:
    """What it takes beside its own file, and how long it is made ready."""
    found = beyond_weights(seen)
    return (*found, duration("loading takes", seen.performance.load_ns)) if found and seen.performance else ()


def more_than_once(seen: Seen) -> Sequence[Fact]:
    """Where it takes its own file more than twice."""
    found = beyond_weights(seen)
    return found if found and found[0].value is not None and found[0].value > 2 * (found[1].value or 0) else ()


ROWS = (
    Row("llama_cpp", "keys and values of the context, and buffers, lie beside the weights", "a shorter context", beyond_weights),
    Row("microsoft_olive", "activations of a batch lie beside the weights, and grow with it", "a smaller batch", beyond_weights),
    Row(
        "openvino",
        "the model is compiled when it is loaded, and both forms are held meanwhile",
        "enable caching of the compiled model (CACHE_DIR), which is then mapped, not made",
        loaded,
    ),
    Row("apple_mlx", "weights are read into memory as a copy", "memory mapping of the weights", beyond_weights),
    Row(
        "onnx_runtime",
        "weights are held twice, as they are and packed for the kernels, and the arena keeps what it once took",
        "no prepacking (session.disable_prepacking), no arena (enable_cpu_mem_arena), or fewer bits a weight",
        more_than_once,
    ),
    Row("onnx_runtime", "what it computes lies beside the weights", "a smaller batch, or fewer bits a weight", beyond_weights),
    Row(ANY, "what it computes lies beside the weights", "a smaller batch, or fewer bits a weight", beyond_weights),
)
