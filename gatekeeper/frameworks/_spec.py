"""A model as it is named to the process that opens it, whoever asks: one that times, tests, serves or predicts."""

from __future__ import annotations

from pathlib import Path

import msgspec

from gatekeeper.frameworks._base import Session, framework


class TextSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What must be known of a text model besides: whose tokenizer to use, and what its ids mean."""

    model: str
    framework: str  # reads the tokenizer of a model file
    vocabulary: int
    end: list[int] = []
    context: int = 0  # tokens it knows; 0: not said


class ModelSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is opened, by what, and on what. `artifact` is an absolute path: workers have a working folder of their own."""

    framework: str
    artifact: str
    threads: int
    device: str
    text: TextSpec | None = None  # of a model that writes text


def open_session(spec: ModelSpec) -> Session:
    """A session of the model; runs in a worker."""
    return framework(spec.framework).open_session(Path(spec.artifact), spec.threads, spec.device)
