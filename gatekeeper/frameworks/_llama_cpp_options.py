"""Options of llama.cpp's techniques, and how its artifacts may be opened."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Literal, cast

import msgspec
from msgspec import Meta

from gatekeeper.errors import NotMeasured
from gatekeeper.frameworks._options import Options, Patterns, Session

if TYPE_CHECKING:
    from gatekeeper.models.info import Assessment

BATCH = 512
"""Tokens computed at once, llama.cpp's default."""
PADDING = 256
"""llama.cpp rounds contexts up to multiples of it."""
CACHE_BLOCK = 32
WINDOWS = 100
"""Windows of the calibration set that an importance matrix is taken of; llama.cpp's users find more of them to change little."""

Count = Annotated[int, Meta(ge=1)]
Type = Literal["f16", "q8_0", "q6_k", "q5_k", "q5_1", "q5_0", "q4_k", "q4_1", "q4_0", "iq4_nl", "q3_k", "q2_k"]


class LlamaCppSession(Session, frozen=True, kw_only=True):
    """How llama.cpp opens what was made; it is measured and shipped so."""

    kv_cache: Annotated[
        Literal["f16", "q8_0", "q4_0"],
        Meta(description="Type of the keys and values that are kept of earlier tokens; of the last two with flash attention."),
    ] = "f16"
    context: Annotated[
        Annotated[int, Meta(ge=PADDING, multiple_of=PADDING)] | None,
        Meta(
            description="Tokens that are kept, memory for all of which is taken at once; when they are full, the older half is "
            "forgotten. Default: as many as each text needs.",
        ),
    ] = None
    batch: Annotated[
        int, Meta(ge=32, le=2048, description="Tokens of a prompt computed at once; fewer take less memory, and longer.")
    ] = BATCH
    threads: Annotated[Count | None, Meta(description="Threads, where they are to be fewer than the target's.")] = None

    @property
    def at_once(self) -> int:
        """How many tokens are computed at once."""
        return min(self.batch, self.context or self.batch)

    def of(self, threads: int) -> int:
        """The threads it runs on where the target has so many."""
        if self.threads and self.threads > threads:
            raise NotMeasured(
                "unsupported", f"it asks for {self.threads} threads, and the target has {threads}. Lower the session's `threads`."
            )
        return self.threads or threads


class Kv8Session(LlamaCppSession, frozen=True, kw_only=True):
    """How llama.cpp opens what was made with a technique whose name says that the cache has 8 bits."""

    kv_cache: Annotated[Literal["q8_0"], Meta(description="As the technique's name says.")] = "q8_0"


class Kv4Session(LlamaCppSession, frozen=True, kw_only=True):
    """How llama.cpp opens what was made with a technique whose name says that the cache has 4 bits."""

    kv_cache: Annotated[Literal["q4_0"], Meta(description="As the technique's name says.")] = "q4_0"


class LlamaCppOptions(Options, frozen=True, kw_only=True):
    """Options of techniques that take no others."""

    session: Annotated[LlamaCppSession, Meta(description="How the artifact is opened.")] = LlamaCppSession()

    def unfit(self, technique: str, model: Assessment) -> str | None:
        """A context that the model does not know, or heads that a quantized cache does not take."""
        text = model.text
        if text is None:
            return None
        if self.session.kv_cache != "f16" and (reason := unfit_heads(text.head)):
            return reason
        if self.session.context and text.context and self.session.context > text.context:
            return f"it asks for a context of {self.session.context} tokens, and the model knows {text.context}; lower `context`"
        return None


class Blocks(LlamaCppOptions, frozen=True, kw_only=True):
    """How llama.cpp stores matrices in blocks, each with a scale."""

    output: Annotated[Type | None, Meta(description="Type of the last layer; default: the technique's mixture says.")] = None
    embeddings: Annotated[Type | None, Meta(description="Type of the token embeddings; default: the technique's.")] = None
    tensors: Annotated[
        dict[Annotated[str, Meta(min_length=1)], Type],
        Meta(
            description="Types of other matrices, by name, pattern (`blk.0.*`) or kind (`attn_v`, `ffn_down`). One that matches "
            "nothing is an error, and so is a matrix that two mean.",
            examples=[{"attn_v": "q8_0", "blk.0.*": "q6_k"}],
        ),
    ] = {}

    def patterns(self) -> dict[str, Patterns]:
        """Names of matrices."""
        return {"tensors": tuple(self.tensors)} if self.tensors else {}


class Weighed(Blocks, frozen=True, kw_only=True):
    """How llama.cpp stores matrices in blocks of fewer than 8 bits, whose rounding may be weighed."""

    imatrix: Annotated[
        bool,
        Meta(
            description="Weigh rounding errors by what each column is multiplied by on the calibration set (an importance "
            "matrix, computed as llama.cpp's llama-imatrix does)."
        ),
    ] = False
    examples: Annotated[
        Count | None,
        Meta(description=f"`imatrix`: windows of the calibration set, drawn evenly from it; default {WINDOWS}."),
    ] = None

    def calibrates(self) -> str:
        """An importance matrix is taken of it."""
        return "imatrix" if self.imatrix else ""

    def wrong(self) -> Iterator[tuple[str, str]]:
        """Examples for nothing."""
        if self.examples is not None and not self.imatrix:
            yield "examples", "it is for `imatrix: true`, which is not asked for. Add it, or remove this."


_CACHES: dict[str, type[LlamaCppSession]] = {"": LlamaCppSession, "q8_0": Kv8Session, "q4_0": Kv4Session}


def _kinds(base: type[LlamaCppOptions]) -> dict[str, type[Options]]:
    """Options by the type of the cache that a technique's name says."""
    kinds: dict[str, type[Options]] = {"": base}
    for cache, session in _CACHES.items():
        if cache:
            opened = ("session", Annotated[session, Meta(description="How the artifact is opened.")], session())
            made = msgspec.defstruct(
                f"{base.__name__}{session.__name__.removesuffix('Session')}",
                [opened],
                bases=(base,),
                namespace={"__doc__": base.__doc__},
                frozen=True,
                kw_only=True,
                forbid_unknown_fields=True,
            )
            kinds[cache] = cast("type[Options]", made)
    return kinds


_HALVES, _EIGHT_BITS, _FEWER = _kinds(LlamaCppOptions), _kinds(Blocks), _kinds(Weighed)


def options_for(technique: str) -> type[Options]:
    """The type of a technique's options, by its name."""
    weights, _, cache = technique.partition("_kv_")
    # 8-bit blocks are rounded the same whatever weighs the errors.
    return {"f16": _HALVES, "q8_0": _EIGHT_BITS}.get(weights, _FEWER)[cache]


def unfit_heads(head: int) -> str | None:
    """Why a quantized cache does not take heads of a size."""
    if not head % CACHE_BLOCK:
        return None
    return f"a quantized KV cache needs heads whose size is a multiple of {CACHE_BLOCK}, and the model's have {head}"
