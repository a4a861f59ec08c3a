"""What went wrong in a child process, in words and kinds that a report can hold."""

from __future__ import annotations

import errno
import re

from gatekeeper.errors import GatekeeperError, NotMeasured
from gatekeeper.process.messages import Failed

MAX_MESSAGE = 2000
FULL_DISK = (28, 122)  # no space left, quota exceeded
WRITTEN_IN_PART = re.compile(r"\d+ requested and \d+ written")  # numpy says no more of a full disk
HELD = {
    errno.EROFS: " Workers write into their temporary folder alone (docs/isolation.md).",
    errno.ENETUNREACH: " Workers have no network (docs/isolation.md).",
}
"""What a program meets that is held, and did not expect to be."""
EXTRAS = {
    "metrics": ("sklearn",),
    "images": ("PIL",),
    "huggingface": ("safetensors", "tokenizers", "torch", "transformers"),
    "serve": ("httptools", "prometheus_client", "starlette", "uvicorn", "uvloop"),
    "testing": ("mlperf_loadgen", "pytest", "schemathesis", "tritonclient"),
}
"""What installs a module that is missing."""


def failure(error: BaseException) -> Failed:
    """What went wrong, classified, short and encodable, whatever the exception says of itself."""
    try:
        failed = _classified(error)
    except Exception:  # an exception whose own text raises
        failed = Failed(kind="crash", message=type(error).__name__)
    hint = next((hint for number, hint in HELD.items() if f"[Errno {number}]" in failed.message), "")
    text = (failed.message[:MAX_MESSAGE] + hint).encode("utf-8", "backslashreplace").decode()
    return Failed(kind=failed.kind, message=text)


def _classified(error: BaseException) -> Failed:
    if isinstance(error, NotMeasured):
        return Failed(kind=error.kind, message=str(error))
    if isinstance(error, GatekeeperError):
        return Failed(kind="data", message=str(error))
    if isinstance(error, MemoryError) or "bad_alloc" in str(error) or "Failed to allocate memory" in str(error):
        return Failed(kind="memory", message=f"out of memory: {str(error) or type(error).__name__}")
    if isinstance(error, ModuleNotFoundError):
        return Failed(kind="unsupported", message=f"the package '{error.name}' is not installed.{_hint(error.name)}")
    if isinstance(error, OSError) and (error.errno in FULL_DISK or WRITTEN_IN_PART.fullmatch(str(error))):
        where = f" of {error.filename}" if error.filename else ""
        return Failed(kind="disk", message=f"the disk{where} is full: {error.strerror or error}. Free some space.")
    text = " ".join(str(error).split())
    return Failed(kind="crash", message=f"{type(error).__name__}: {text}" if text else type(error).__name__)


def _hint(module: str | None) -> str:
    from gatekeeper.version import install_hint

    package = (module or "").partition(".")[0]
    extra = next((name for name, modules in EXTRAS.items() if package in modules), None)
    return f" {install_hint(extra)}" if extra else ""
