"""`measure`: how long and how carefully to measure."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from gatekeeper.config.section import Duration, Section, Size, Threads
from gatekeeper.stats.looks import MAX_ROUNDS


class Measure(Section, frozen=True, kw_only=True):
    """How long and how carefully to measure. The defaults decide a clear case in under half a minute."""

    budget: Annotated[Duration, Meta(description="Longest time to spend on rounds, per leg.")] = "10m"
    max_rounds: Annotated[int, Meta(ge=2, le=MAX_ROUNDS, description="Most rounds; a clear case stops at the first look.")] = 24
    block_ms: Annotated[float, Meta(gt=0, le=10_000, description="Length of one block of inferences.")] = 20.0
    blocks: Annotated[
        Annotated[int, Meta(ge=1, le=100)] | None,
        Meta(description="Blocks per arm in a round, in random order; default: 8, and 2 for text_generation."),
    ] = None
    inputs: Annotated[
        Literal["all"] | Annotated[int, Meta(ge=1, le=1_000_000)] | None,
        Meta(
            description="How many inputs are timed and tested, drawn evenly over the evaluation set by the seed: the same for "
            "every model, and each equally often in a round. `all` takes the whole set. Default: 32, and 4 prompts for "
            "text_generation."
        ),
    ] = None
    prompt_tokens: Annotated[int, Meta(ge=1, le=131_072, description="text_generation: length of the timed prompts.")] = 64
    output_tokens: Annotated[
        int, Meta(ge=2, le=131_072, description="text_generation: tokens that are timed after each prompt.")
    ] = 32
    batch_size: Annotated[int, Meta(ge=1, le=4096, description="Examples per inference, where the model allows it.")] = 1
    threads: Annotated[
        Threads | None, Meta(description="Threads of every model on targets that name none; default: the machine's cores.")
    ] = None
    seed: Annotated[
        int, Meta(ge=0, description="Seed of the inputs that are drawn and of the random order; it is in the report.")
    ] = 0
    timeout: Annotated[Duration, Meta(description="Longest time one worker may take for one step.")] = "30m"
    memory_limit: Annotated[Size | None, Meta(description="Most memory one worker may take; default: 80 % of what is free.")] = (
        None
    )
