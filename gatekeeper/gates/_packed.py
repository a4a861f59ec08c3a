"""What gates on the size of a package share: whose limit it is, and what an app takes beside the model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from msgspec import Meta

from gatekeeper.frameworks._base import REGISTRY
from gatekeeper.gates._base import GateConfig, unmeasured
from gatekeeper.ids import framework_of, technique_of
from gatekeeper.records.base import FRAMEWORKS, Verdict
from gatekeeper.records.gates import Decision
from gatekeeper.units import SIZE_PATTERN, format_bytes, parse_size

if TYPE_CHECKING:
    FrameworkName = str
else:
    FrameworkName = Literal[tuple(sorted({*FRAMEWORKS, *REGISTRY.names}))]

SCOPE = ("framework", "quantization")
"""Fields that say which variants a package is made of."""


class PackedConfig(GateConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Limit on the size of a package; `packaging` in the pipeline file says of which variants it is made."""

    max: Annotated[str, Meta(pattern=SIZE_PATTERN, description="Largest size, e.g. 50MB (10^6) or 48MiB (2^20).")]
    framework: Annotated[
        FrameworkName | None, Meta(description="Only variants of this framework are held to it; default: all.")
    ] = None
    quantization: Annotated[str, Meta(description="And only of this technique, or one that begins with it and `_`.")] = ""
    app_size: Annotated[
        str,
        Meta(
            pattern=SIZE_PATTERN + "|^$",
            description="What the app's own code and the runtime's libraries take of it.",
            examples=["20MB"],
        ),
    ] = ""


def made_of(framework: str, quantization: str, name: str) -> bool:
    """Whether a package of a framework and a quantization is made of a variant: int8 of `int8`, `int8_static` and
    `int8_static-per_tensor` alike, which is int8_static with options.
    """
    technique = technique_of(name)
    fits = technique == quantization or technique.startswith((f"{quantization}_", f"{quantization}-"))
    return framework in ("", framework_of(name)) and (not quantization or fits)


def applies(config: Any, name: str, stated: dict[str, Any] | None = None) -> bool:
    """Whether a variant is held to the limit; `stated` is what a report says of that, where nothing else does."""
    framework, quantization = (getattr(config, field) or str((stated or {}).get(field) or "") for field in SCOPE)
    return not name or made_of(framework, quantization, name)


def scope(config: Any) -> dict[str, Any]:
    """What a report keeps of the limit beside its number: it is judged again by that."""
    return {field: value for field in (*SCOPE, "app_size") if (value := getattr(config, field))}


def decide(config: PackedConfig, size: int | None, what: str) -> Decision:
    """PASS if `size`, with the app's own share, is at most the limit; sizes are exact, so there is no interval."""
    if not size:
        return unmeasured(f"its {what} is not known: run it again with this version")
    own = parse_size(config.app_size) if config.app_size else 0
    whole, limit = size + own, parse_size(config.max)
    parts = f"{format_bytes(size)} and {format_bytes(own)} of the app" if own else format_bytes(size)
    verdict, reason = Verdict.PASS, f"{parts} of {format_bytes(limit)}"
    if whole > limit:
        verdict, reason = Verdict.FAIL, f"{parts}, {format_bytes(whole - limit)} over {format_bytes(limit)}"
    seen = float(whole)
    return Decision(verdict=verdict, reason=reason, observed=seen, lower=seen, upper=seen, details=scope(config))
