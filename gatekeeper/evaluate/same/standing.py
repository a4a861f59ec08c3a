"""What is known of a baseline beside the model's reference."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Standing:
    """It in words; empty where the baseline is the reference. `held` is false where nothing could be compared."""

    said: str = ""
    held: bool = True
