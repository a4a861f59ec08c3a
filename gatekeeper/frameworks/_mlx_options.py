"""Options of MLX's techniques."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Literal

from msgspec import Meta

from gatekeeper.frameworks._options import Options, Patterns

if TYPE_CHECKING:
    from gatekeeper.models.info import Assessment

Group = Literal[32, 64, 128]
GROUP: Group = 64
WINDOWS = 256
"""Windows of the calibration set that DWQ learns from."""
LEARNING_RATE = 1e-5
"""Of DWQ's optimizer, Adam; mlx-lm's own default is a tenth of it, for sets ten times as large."""

Bits = Literal[2, 3, 4, 5, 6, 8]


class Affine(Options, frozen=True, kw_only=True):
    """How MLX quantizes layers: groups of weights, each with a scale and an offset."""

    group_size: Annotated[
        Group,
        Meta(description="Weights of a row with one scale and offset; layers whose rows it does not divide stay as they are."),
    ] = GROUP
    layers: Annotated[
        dict[Annotated[str, Meta(min_length=1)], Bits],
        Meta(
            description="Bits of some layers, by name (`model.layers.0.mlp.down_proj`), pattern (`*.0.*`) or kind (`v_proj`, "
            "`lm_head`). One that matches nothing is an error, and so is a layer that two mean.",
            examples=[{"down_proj": 6, "lm_head": 8}],
        ),
    ] = {}
    exclude: Annotated[Patterns, Meta(description="Layers that stay as they are, named as in `layers`.")] = ()
    dwq: Annotated[
        bool,
        Meta(
            description="Then let scales and offsets of fewer than 8 bits, and norms, learn to answer as the original does on "
            "the calibration set (mlx-lm's distilled weight quantization); slow without Metal."
        ),
    ] = False
    examples: Annotated[
        Annotated[int, Meta(ge=2)] | None,
        Meta(description=f"`dwq`: windows of the calibration set, drawn evenly from it; default {WINDOWS}, or all."),
    ] = None
    learning_rate: Annotated[
        Annotated[float, Meta(gt=0, le=0.1)] | None, Meta(description=f"`dwq`: of its optimizer; default {LEARNING_RATE:g}.")
    ] = None

    def calibrates(self) -> str:
        """DWQ learns from it."""
        return "dwq" if self.dwq else ""

    def wrong(self) -> Iterator[tuple[str, str]]:
        """What is for DWQ where there is none."""
        for field in ("examples", "learning_rate"):
            if getattr(self, field) is not None and not self.dwq:
                yield field, "it is for `dwq: true`, which is not asked for. Add it, or remove this."

    def unfit(self, technique: str, model: Assessment) -> str | None:
        """Groups that divide no row."""
        rows = model.text.row_lengths if model.text else []
        if rows and not any(length % self.group_size == 0 for length in rows):
            lengths = ", ".join(map(str, rows))
            return (
                f"no row length of the model ({lengths}) is a multiple of its group_size {self.group_size}; choose a smaller one"
            )
        if self.dwq and technique == "int8" and min(self.layers.values(), default=8) == 8:
            return "DWQ learns where there are fewer than 8 bits, and int8 has none; leave `dwq` out"
        return None
