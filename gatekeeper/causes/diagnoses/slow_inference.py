"""It is slower than it must be."""

from __future__ import annotations

from collections.abc import Sequence

from gatekeeper.causes.diagnoses._base import ANY, Row
from gatekeeper.causes.seen import Seen, count, fraction, words
from gatekeeper.records.explained import Fact

DESCRIPTION = "It is slower, or takes more energy, than a gate allows."
GATES = ("speedup", "p50_ms", "p99_latency", "throughput", "overload", "energy", "power_w")

WHILE_RUNNING = ("ConvInteger", "MatMulInteger", "DynamicQuantizeLinear", "DynamicQuantizeMatMul", "MatMulIntegerToFloat")
INTEGERS = (
    "QLinearConv", "QLinearMatMul", "QGemm", "QLinearAdd", "MatMulNBits", "QLinearAveragePool", *WHILE_RUNNING,
)  # fmt: skip
BETWEEN = ("QuantizeLinear", "DequantizeLinear", "Cast")
SIMD = ("avx2", "avx512f", "neon", "asimd")
MOST = 0.3
BUSY = 0.8
IDLE = "its threads are idle part of the time: there is too little work to share, or something else takes the cores"


def while_running(seen: Seen) -> Sequence[Fact]:
    """Convolutions in integers whose scales are found anew in every call."""
    share = seen.operator("ConvInteger")
    return (fraction("ConvInteger's share of operator time", share),) if share > MOST else ()


def between(seen: Seen) -> Sequence[Fact]:
    """Time that goes into rounding back and forth."""
    share = seen.operator(*BETWEEN)
    return (fraction("share of operator time that QuantizeLinear and DequantizeLinear take", share),) if share > MOST else ()


def floats(seen: Seen) -> Sequence[Fact]:
    """How much of the time is not in integers."""
    if seen.profile is None or not seen.profile.operators:
        return ()
    share = seen.operator(*INTEGERS)
    top = max(seen.profile.operators, key=lambda each: each.share)
    return (
        fraction("share of operator time in integer kernels", share),
        fraction(f"{top.operator}'s share", top.share),
    )


def threads(seen: Seen) -> Sequence[Fact]:
    """How many threads it has, and what they did."""
    if seen.environment is None or seen.performance is None:
        return ()
    found = [count("threads", seen.environment.threads), fraction("CPU utilisation", seen.performance.cpu_utilisation)]
    return [*found, count("cores", seen.environment.cores)] if seen.environment.cores else found


def idle(seen: Seen) -> Sequence[Fact]:
    """The same, where they do not work all the time."""
    return threads(seen) if seen.performance and seen.performance.cpu_utilisation <= BUSY else ()


def simd(seen: Seen) -> Sequence[Fact]:
    """Which instructions the machine has."""
    if seen.environment is None:
        return ()
    has = [name for name in seen.environment.isa if name.startswith(SIMD)]
    return (words("instructions of this CPU", ", ".join(has) or "none that llama.cpp has kernels for"), *threads(seen))


def device(seen: Seen) -> Sequence[Fact]:
    """What it ran on."""
    where = (seen.performance.ran_on if seen.performance else "") or (seen.leg.device if seen.leg else "")
    return (words("ran on", where),) if where else ()


def quantized(seen: Seen) -> Sequence[Fact]:
    """Whether it computes in integers, as far as a profile tells; else what it was to be."""
    return floats(seen) or (words("technique", seen.variant.technique),)


ROWS = (
    Row(
        "onnx_runtime",
        "convolutions whose activations are quantized anew in every call (ConvInteger) are slower than in floats",
        "int8_static, whose scales are known before: its convolutions have fast kernels",
        while_running,
    ),
    Row(
        "onnx_runtime",
        "rounding to integers and back takes much of the time: operators between the quantized ones are in floats",
        "quantize those in between too, or leave out layers that gain less than rounding costs",
        between,
    ),
    Row(
        "onnx_runtime",
        "most of the time is not in what was quantized",
        "quantize the operators that take it, or other bits",
        floats,
    ),
    Row("onnx_runtime", IDLE, "fewer threads, or more work at once (a batch)", idle),
    Row(
        "microsoft_olive",
        "most of the time may not be in what was quantized",
        "check the quantization: which operators it took",
        quantized,
    ),
    Row(
        "openvino", "threads that do not fit the work, or the cores", "tune the threads, or ask for throughput (`hint`)", threads
    ),
    Row(
        "llama_cpp",
        "a build without the CPU's instructions computes one number at a time",
        "enable SIMD: build for this CPU",
        simd,
    ),
    Row("apple_mlx", "it did not run on the GPU", "enable Metal: run it on a Mac", device),
    Row(ANY, IDLE, "fewer threads, or more work at once (a batch)", idle),
)
