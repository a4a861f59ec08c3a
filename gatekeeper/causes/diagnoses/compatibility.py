"""It could not be made, or does not run."""

from __future__ import annotations

from collections.abc import Sequence

from gatekeeper.causes.diagnoses._base import ANY, Row, failure
from gatekeeper.causes.seen import Seen, words
from gatekeeper.records.explained import Fact

DESCRIPTION = "It could not be made, or could not be opened or run."
GATES = ()


def said(seen: Seen) -> Sequence[Fact]:
    """What the framework said, and which versions there were."""
    why = failure(seen.variant)
    if not why:
        return ()
    packages = seen.environment.packages if seen.environment else {}
    versions = ", ".join(f"{name} {version}" for name, version in packages.items() if version)
    machine = [words("system", seen.environment.os)] if seen.environment and seen.environment.os else []
    return [words("it said", why), *([words("versions", versions)] if versions else []), *machine]


ROWS = (
    Row(
        "llama_cpp",
        "the file may be of another form than this llama.cpp reads",
        "check the model's format: convert it anew",
        said,
    ),
    Row(
        "microsoft_olive",
        "versions that do not fit each other",
        "check the framework's version against what gatekeeper wants",
        said,
    ),
    Row("openvino", "the device's driver may be missing or old", "update the drivers, or choose the target cpu", said),
    Row("apple_mlx", "MLX wants macOS 14 or newer for the GPU", "check the version of macOS", said),
    Row(
        "onnx_runtime",
        "an operator, its opset or its type has no kernel there",
        "export with another opset, or leave it out",
        said,
    ),
    Row(ANY, "the framework refused it", "see what it said", said),
)
