"""What all of OpenVINO's sessions share: devices, reading and compiling a model, and what is said when one fails."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from gatekeeper.errors import GatekeeperError, NotMeasured
from gatekeeper.models.info import NO_TENSORS, TEXT

DEVICES = {"cpu": "CPU", "gpu": "GPU", "npu": "NPU", "auto": "AUTO"}
_HINTS = {"": "LATENCY", "latency": "LATENCY", "throughput": "THROUGHPUT"}


def split_hint(device: str) -> tuple[str, str]:
    """The device, and OpenVINO's performance hint for it: `cpu` asks for latency, `cpu:throughput` for throughput."""
    name, _, hint = device.partition(":")
    if name not in DEVICES:
        raise NotMeasured("unsupported", f"{not_among_devices(name)}. Choose another target.")
    if hint not in _HINTS:
        raise NotMeasured("unsupported", f"OpenVINO has no performance hint '{hint}'. Use latency or throughput.")
    return name, _HINTS[hint]


def not_among_devices(device: str) -> str | None:
    """None, or that OpenVINO does not know the device."""
    return None if device in DEVICES else f"OpenVINO runs on {', '.join(DEVICES)}, not on {device}"


def compile_on(core: Any, model: Any, device: str, threads: int, settings: dict[str, Any]) -> Any:
    """The compiled model; `NotMeasured` if it does not run on `device` (a key of DEVICES), and only there."""
    wanted = DEVICES[device]
    config = dict(settings)
    if device == "auto":
        # Else AUTO answers from the CPU until the device it prefers is ready: latencies of two devices, and a state that
        # does not move with them.
        config["ENABLE_STARTUP_FALLBACK"] = False
        config["DEVICE_PROPERTIES"] = {"CPU": {"INFERENCE_NUM_THREADS": threads}}
    elif not any(name.partition(".")[0] == wanted for name in core.available_devices):
        raise NotMeasured(
            "unsupported",
            f"OpenVINO finds no {wanted} on this machine (it finds {', '.join(core.available_devices)}). "
            f"Install the {wanted} driver, or use a CPU target.",
        )
    if device == "cpu":
        config["INFERENCE_NUM_THREADS"] = threads
    try:
        compiled = core.compile_model(model, wanted, config)
    except Exception as error:
        raise NotMeasured("unsupported", f"OpenVINO cannot compile the model for {wanted}: {said(error)}") from error
    if device != "auto":
        check_device(compiled, wanted)
    return compiled


def check_device(model: Any, wanted: str) -> None:
    """`NotMeasured` unless the compiled model runs on the device that was asked for, and nowhere else."""
    ran = execution_devices(model)
    if any(name.partition(".")[0] != wanted for name in ran):
        raise NotMeasured("unsupported", f"OpenVINO fell back from {wanted} to {', '.join(ran)}. Check the {wanted} driver.")


def execution_devices(model: Any) -> list[str]:
    """Devices the compiled model runs on now; OpenVINO puts one in brackets that only stands in for another."""
    return [str(name).strip("()") for name in model.get_property("EXECUTION_DEVICES")]


def ran_on(model: Any, threads: int) -> str:
    """Where the compiled model runs, read back from it, and with how many threads where they are fewer than asked for."""
    names = execution_devices(model)
    if "CPU" not in names:
        return ", ".join(names)
    supported = model.get_property("SUPPORTED_PROPERTIES")
    own = "INFERENCE_NUM_THREADS" in supported  # AUTO keeps them by device
    used = model.get_property("INFERENCE_NUM_THREADS") if own else _of_cpu(model, "INFERENCE_NUM_THREADS")
    return ", ".join(names) + (f", {used} of {threads} threads" if used != threads else "")


def _of_cpu(model: Any, name: str) -> Any:
    return model.get_property("DEVICE_PROPERTIES")["CPU"][name]


def read(core: Any, path: Path) -> Any:
    """The model in a file; `NotMeasured` with OpenVINO's reason if it cannot be read."""
    try:
        try:
            return core.read_model(str(path))
        except Exception:
            if (plain := _without_functions(path)) is None:
                raise
            return core.read_model(plain)
    except NotMeasured:
        raise
    except Exception as error:
        text = str(error)
        if listed := _no_tensors(path):
            raise NotMeasured(
                "unsupported",
                f"OpenVINO has tensors of numbers only, and {listed}. Export the model without it, or leave openvino out.",
            ) from error
        if operators := re.search(r"No conversion rule found for operations: (.*)", text):
            raise NotMeasured(
                "unsupported",
                f"OpenVINO has no operator {operators[1].strip()}. Export the model without it, or leave openvino out.",
            ) from error
        raise NotMeasured("model", f"OpenVINO cannot load the model: {said(error)}") from error


def _no_tensors(path: Path) -> str:
    """Inputs and outputs of an ONNX model that are sequences, maps or texts, in words; empty where there are none."""
    from gatekeeper.models.formats.onnx import inspect

    try:
        model = inspect(path) if path.suffix == ".onnx" else None
    except GatekeeperError:
        model = None
    if model is None:
        return ""
    ends = [("input", each) for each in model.inputs] + [("output", each) for each in model.outputs]
    known = NO_TENSORS | {TEXT: "texts"}
    return ", ".join(f"the {end} {each.name} is {known[each.dtype]}" for end, each in ends if each.dtype in known)


def _without_functions(path: Path) -> bytes | None:
    """An ONNX model that defines operators of its own, with their bodies in place of their calls: OpenVINO follows none."""
    from gatekeeper.models.formats.onnx import inspect

    try:
        if path.suffix != ".onnx" or not inspect(path).functions:
            return None
    except GatekeeperError:  # it is no model at all, which OpenVINO has said
        return None
    try:
        import onnx
        import onnx.inliner
    except ImportError:
        raise NotMeasured(
            "unsupported", "the model defines operators of its own, which take the package onnx to read. Install onnx."
        ) from None
    model: bytes = onnx.inliner.inline_local_functions(onnx.load(str(path)), convert_version=True).SerializeToString()
    return model


def said(error: Exception) -> str:
    """What an OpenVINO exception says, without the lines on where in its sources it was thrown."""
    lines = [line.strip() for line in str(error).splitlines()]
    kept = [line for line in lines if line and not re.match(r"Exception from |Check '|FrontEnd API failed", line)]
    return " ".join(kept or lines[:1])[:500] or type(error).__name__


def names_of(ports: Any) -> tuple[str, ...]:
    """Tensor names; of several the first in the alphabet, as the inspector chooses."""
    return tuple(min(port.names, default=port.node.friendly_name) for port in ports)
