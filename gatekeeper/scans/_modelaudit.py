"""modelaudit, read strictly: only what it says to have looked at whole and found nothing in is clean.

Its `success` and a list without warnings do not add up to that. It says `success=False` of sound files that it could not follow,
and of some hostile ones only mentions, as information, what they would do. So every failed check counts, unless it is known to
say nothing; every outcome that it calls incomplete is none; and it must have had a scanner for the file at all.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gatekeeper.scans._base import Found, Rule, Unscanned
from gatekeeper.scans._torchscript import expected, is_torchscript, reaching

PACKAGE = "modelaudit"
DISTRUST = "Do not load it. Take the file from its source again, or ask there for safetensors or ONNX in its place."
RULES = {
    "runs_code": Rule("Loading the file runs code: it imports and calls what no weights need.", DISTRUST),
    "unknown_import": Rule(
        "A pickle that imports what is not known to be harmless, such as a class of a package of its own.",
        "Where you trust its source, save the weights as safetensors or ONNX and use those; else do not load it.",
    ),
    "suspect": Rule("modelaudit holds something in the file to be dangerous, or more than weights.", DISTRUST),
    "archive_content": Rule("An archive whose members leave it, hide another file, or grow without end.", DISTRUST),
}

QUIET = ("PROMPTFOO_DISABLE_TELEMETRY", "NO_ANALYTICS", "MODELAUDIT_DISABLE_TELEMETRY", "CI")
"""Set before it is imported: nothing of a model is told to anybody."""

GRAVE = ("critical", "warning")
CODE = {"S507", "S510", "S604", "S810", "S1101", "S1102", "S1103", "S1106", "S1108"}
ARCHIVES = {"S405", "S406", "S410"}
"""Its codes of what runs, beside those of imports and opcodes; and of what an archive does when it is unpacked."""

REBUILDS = frozenset(
    {
        "torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_parameter",
        "torch._utils._rebuild_sparse_tensor", "torch._utils._rebuild_qtensor", "collections.OrderedDict", "_codecs.encode",
        "numpy.core.multiarray._reconstruct", "numpy._core.multiarray._reconstruct", "numpy.core.multiarray.scalar",
        "numpy._core.multiarray.scalar", "numpy.dtype", "numpy.ndarray",
    }
)  # fmt: skip
"""What every file of tensors or arrays calls to build them, and nothing else does."""

NOT_LOADED = re.compile(
    r"Found (?:invoked|source-backed) allowlisted global without (?:trusted loaded implementation|inert import initialization "
    r"proof): ([\w.]+)"
)
"""Said of names that it holds to be harmless, where the package is not imported in the very process that scans."""

UNSURE_CODES = {"S902", "S903", "S904", "S999"}
UNSURE = re.compile(r"(?:Nested|Encoded) pickle |.*analysis (?:did not complete|incomplete)", re.IGNORECASE)
"""A file that is cut short; numbers that look like a pickle. What the pickle around them would do with them is told by itself."""

MERE = re.compile(
    r"(?:S201: )?Pickle serialization format detected: [\w(), ]+ opcodes detected"
    r"|File extension indicates pickle but header indicates zip\. Using header-based detection\."
)
"""As information, of every file of tensors. What the opcodes import and call is judged one by one."""

NOT_KNOWN = "NON_ALLOWLISTED_GLOBAL"


def judged(path: Path) -> Iterator[Found]:
    """What it finds in a file; `Unscanned` where it did not look, or not to the end."""
    result = _scan(path)
    failed = [check for check in result.checks if _word(check.status) == "failed"]
    told = [each for each in (*result.issues, *failed) if not (_builds(each) or _mere(each))]
    compiled = is_torchscript(path)
    if compiled:
        told = [each for each in told if not expected(each)]
    grave = [each for each in told if _word(each.severity) in GRAVE and not _unsure(each)]
    yield from dict.fromkeys(Found(_rule(each), _what(each, path), _where(each, path)) for each in grave)
    if compiled:
        yield from (Found("runs_code", f"its TorchScript calls {what[:80]}", where) for what, where in reaching(path))
    if grave:
        return
    if compiled:
        raise Unscanned(
            "it is TorchScript, a program that nothing here follows to its end. Save the weights alone, or export to ONNX"
        )
    metadata = result.metadata
    reasons = metadata.get("scan_outcome_reasons") or [metadata.get("operational_error_reason") or ""]
    if metadata.get("operational_error") or metadata.get("scan_outcome") == "inconclusive" or metadata.get("analysis_incomplete"):
        raise Unscanned(f"modelaudit did not look at all of it: {', '.join(map(str, reasons))[:200] or 'it does not say why'}")
    if told:
        raise Unscanned(f"modelaudit is not sure of it: {_what(told[0], path)}")
    explained = len(told) < len(result.issues) + len(failed)
    if not (result.success or explained):
        raise Unscanned("modelaudit says that it did not succeed, and not why")
    if result.scanner_name in ("", "unknown") or not result.bytes_scanned:
        raise Unscanned("modelaudit has no scanner for it")


def _scan(path: Path) -> Any:
    os.environ |= dict.fromkeys(QUIET, "1")
    try:
        from modelaudit.core import scan_file
    except ImportError:
        from gatekeeper.version import install_hint

        raise Unscanned(f"only {PACKAGE} reads it, which is not installed. {install_hint('scan')}, with Python 3.11") from None
    return scan_file(str(path), {"cache_enabled": False})


def _word(value: Any) -> str:
    return str(getattr(value, "value", value) or "").lower()


def _builds(each: Any) -> bool:
    found = NOT_LOADED.fullmatch(str(each.message).strip())
    return found is not None and found[1] in REBUILDS


def _mere(each: Any) -> bool:
    return _word(each.severity) not in GRAVE and MERE.fullmatch(str(each.message).strip()) is not None


def _unsure(each: Any) -> bool:
    return getattr(each, "rule_code", None) in UNSURE_CODES or UNSURE.match(str(each.message)) is not None


def _rule(each: Any) -> str:
    code = str(getattr(each, "rule_code", "") or "")
    number = int(code[1:]) if re.fullmatch(r"S\d+", code) else 0
    if code == NOT_KNOWN:
        return "unknown_import"
    if 100 < number < 300 or code in CODE:
        return "runs_code"
    return "archive_content" if code in ARCHIVES else "suspect"


def _what(each: Any, path: Path) -> str:
    code = f"{each.rule_code}: " if getattr(each, "rule_code", None) else ""
    return f"{code}{' '.join(str(each.message).replace(f'{path.parent}/', '').split())[:240]}"


def _where(each: Any, path: Path) -> str:
    return str(getattr(each, "location", "") or "").replace(str(path), "").strip(": ()")[:120]
