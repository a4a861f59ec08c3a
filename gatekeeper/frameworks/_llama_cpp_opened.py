"""How a .gguf file is opened: what stands beside it in session.json, is measured with it, and ships with it."""

from __future__ import annotations

from pathlib import Path

import msgspec

from gatekeeper.errors import NotMeasured

FILE = "session.json"
BATCH = 512
"""Tokens computed at once, llama.cpp's default."""
PADDING = 256
"""llama.cpp rounds contexts up to multiples of it."""


class Opened(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is set; nothing of it where llama.cpp's own default holds."""

    kv_cache: str | None = None  # as ggml calls the type of the keys and values kept; f16 where nothing is said
    context: int | None = None  # tokens kept, all of them allocated; without it, as many as a text has
    batch: int | None = None  # tokens computed at once
    threads: int | None = None  # at most those of the target

    @property
    def tokens_at_once(self) -> int:
        """How many tokens are computed at once."""
        return min(self.batch or BATCH, self.context or BATCH)

    def of(self, threads: int) -> int:
        """The threads it runs on where the target has so many."""
        if self.threads and self.threads > threads:
            raise NotMeasured(
                "unsupported",
                f"it asks for {self.threads} threads, and the target has {threads}. Lower `threads` of the technique.",
            )
        return self.threads or threads


def write(folder: Path, opened: Opened) -> None:
    """Put it beside the model, where anything is set."""
    if opened != Opened():
        (folder / FILE).write_bytes(msgspec.json.encode(opened, order="deterministic"))


def read(path: Path) -> Opened:
    """What stands beside a model; `NotMeasured` where it is none of this form."""
    file = path / FILE
    if not file.is_file():
        return Opened()
    try:
        return msgspec.json.decode(file.read_bytes(), type=Opened)
    except (OSError, msgspec.MsgspecError) as error:
        raise NotMeasured("model", f"{FILE}: {error}. Make the artifact again.") from None
