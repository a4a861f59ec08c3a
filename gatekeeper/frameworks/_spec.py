"""A model as it is named to the process that opens it, whoever asks: one that times, tests, serves or predicts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from gatekeeper.frameworks._base import Session, framework
from gatekeeper.models.layout import Layout

if TYPE_CHECKING:
    from gatekeeper.models.info import Assessment


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
    inputs: dict[str, tuple[str, str]] = {}  # of a variant with names of its own, see _renamed.py
    outputs: dict[str, str] = {}
    layout: Layout = Layout()  # of a model whose inputs are not all arrays with the examples first


def text_spec(about: Assessment, model: Path, tokenizing: str) -> TextSpec | None:
    """What must be known of a model that writes text, None of others; `tokenizing` is the framework that reads its tokenizer."""
    if about.text is None:
        return None
    return TextSpec(
        model=str(model.resolve()),
        framework=tokenizing,
        vocabulary=about.text.vocabulary,
        end=about.text.end,
        context=about.text.context,
    )


def open_session(spec: ModelSpec) -> Session:
    """A session of the model; runs in a worker."""
    return around(spec, framework(spec.framework).open_session(Path(spec.artifact), spec.threads, spec.device))


def around(spec: ModelSpec, session: Session) -> Session:
    """A session that takes and gives what its framework's does, as the model's own would."""
    if spec.inputs or spec.outputs:
        from gatekeeper.frameworks._renamed import Renamed

        session = Renamed(session, spec.inputs, spec.outputs)
    if spec.layout.plain:
        return session
    from gatekeeper.frameworks._laid import Laid

    return Laid(session, spec.layout)
