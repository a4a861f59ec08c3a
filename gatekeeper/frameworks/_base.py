"""What every framework shares. A framework is a module of this folder; its file name is its YAML key. It has:

    EXTRA        the extra of this distribution that installs it
    REQUIRES     distributions whose versions are part of an artifact's identity
    TECHNIQUES   name -> one line of what it does
    supports(model_format, device) -> None, or why the combination is impossible
    defaults(model_format, device) -> techniques to try when the file names none
    refuses(technique, model) -> None, or why it cannot apply to this model
    optimize(job) -> None; writes job.destination; runs in a worker
    open_session(path, threads, device) -> Session; runs in a worker

and, where it has something to say:

    OPTIONS      technique -> the type of its options, see _options.py
    named(model) -> the nodes of a model file that options may name (_patterns.py); None where it does not tell
    NAMED        what these are called, where they are no nodes
    NEEDS        model format -> Needs, for formats that take more than EXTRA and REQUIRES
    RUNTIME      the module that is imported before memory is counted; default: the first package of those needed
    OPENS        formats whose own runtime it is: it opens such a model where nobody says what does
    HINTS        values of a target's `hint` it knows: its devices then also come with that suffix, as `cpu:throughput`
    CONVERTS     formats it cannot open as they are: `optimize` is then asked for the technique ORIGINAL once, an unoptimized
                 copy in its own form. That copy is the baseline, and what other techniques get as job.original
    CONFIGS      suffix of the configuration files of its own that `techniques` may name, e.g. .json
    prepares(technique, model) -> what is done to a model before a technique's own work, in words; empty where nothing is
    quantizes(technique, model) -> the operators of this model that a technique quantizes, where the framework chooses them
    untimed(device) -> None, or why times measured on this device say nothing
    open_tokenizer(path) -> Tokenizer of a model file that brings its own; runs in a worker

The module itself imports nothing heavy: `plan` and `validate` ask it questions without the framework.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, cast

import msgspec

from gatekeeper.frameworks._options import Options, in_full, options_of, said, unusual
from gatekeeper.frameworks._patterns import Node
from gatekeeper.registry import Registry

if TYPE_CHECKING:
    from gatekeeper.models.info import Assessment

REGISTRY = Registry("frameworks")


ORIGINAL = "original"
"""The technique that changes nothing but the form."""

REFERENCE = "transformers"
"""What models in Hugging Face folders are held against: it answers, and does nothing else a framework does."""

TEXT_FORMATS = ("gguf", "huggingface")
"""Formats of models that write text: their sessions are `TextSession`s."""


@dataclass(frozen=True)
class Needs:
    """What a leg installs: the extra (or several, as pip takes them), and the distributions behind it."""

    extra: str
    packages: tuple[str, ...]


@dataclass(frozen=True)
class OptimizeJob:
    """One artifact to make.

    `calibration` is a prepared dataset folder, if the pipeline file names one. `original` is the folder that the
    technique ORIGINAL wrote, for formats in CONVERTS. `config` is the user's file where the technique is one, and
    `trusted` whether the pipeline file lets it run code. `options` are the technique's own, whole; None: as it is without any.
    """

    source: Path
    destination: Path
    technique: str
    device: str
    vnni: bool
    calibration: Path | None
    original: Path | None = None
    config: Path | None = None
    trusted: bool = False
    options: Options | None = None


class Session(Protocol):
    """A loaded model. Arrays are numpy, keyed by the model's own input and output names."""

    @property
    def inputs(self) -> tuple[str, ...]: ...

    @property
    def outputs(self) -> tuple[str, ...]: ...

    def run(self, feed: dict[str, Any]) -> list[Any]: ...


def likeliest(scores: Any) -> int:
    """The token of the highest score."""
    return int(scores.argmax())


class ConcurrentSession(Session, Protocol):
    """A session whose `run` several threads may call at once: its throughput at saturation is measured too."""

    CONCURRENT: Literal[True]


class TextSession(Session, Protocol):
    """A session that writes text: latency is then the time per output token, and the time to the first is kept.

    `run` takes {"tokens": int64 [1, n]} and returns [logits], float32 [1, n, vocabulary], from an empty context.
    """

    def generate(self, feed: dict[str, Any]) -> Iterator[int]:
        """Yield feed["new_tokens"] token ids after the prompt feed["tokens"], int64 [n], each as soon as it is known.

        The likeliest token every time, from an empty context; the end-of-text token does not end it. Where feed["choose"] is
        there, each token is what it makes of the scores, float [vocabulary, or more].
        """


@dataclass(frozen=True)
class ChatTemplate:
    """What makes a text of a conversation: a Jinja template, and the special tokens that it may name."""

    template: str
    tokens: dict[str, str]


class Tokenizer(Protocol):
    """Text to token ids and back, without special tokens added or removed.

    `before` and `after` are those that its own template puts around a text: what the model was trained to find there. `chat` is
    the template of conversations that comes with it, None where none does.
    """

    @property
    def before(self) -> list[int]: ...

    @property
    def after(self) -> list[int]: ...

    @property
    def chat(self) -> ChatTemplate | None: ...

    def encode(self, text: str) -> list[int]: ...

    def decode(self, ids: list[int]) -> str: ...


def whole(tokenizer: Tokenizer, text: str) -> list[int]:
    """The tokens of a text as the model is given it: with what the tokenizer's template puts around it."""
    return [*tokenizer.before, *tokenizer.encode(text), *tokenizer.after]


class Framework(Protocol):
    """The shape of a framework module."""

    EXTRA: str
    REQUIRES: tuple[str, ...]
    TECHNIQUES: dict[str, str]

    @staticmethod
    def supports(model_format: str, device: str) -> str | None: ...

    @staticmethod
    def defaults(model_format: str, device: str) -> tuple[str, ...]: ...

    @staticmethod
    def refuses(technique: str, model: Assessment, calibrated: bool) -> str | None: ...

    @staticmethod
    def optimize(job: OptimizeJob) -> None: ...

    @staticmethod
    def open_session(path: Path, threads: int, device: str) -> Session: ...


def framework(name: str) -> Framework:
    """The framework module of that name."""
    if name == REFERENCE:
        return cast(Framework, importlib.import_module("gatekeeper.frameworks._transformers"))
    return cast(Framework, REGISTRY.get(name))


def needs(name: str, model_format: str) -> Needs:
    """What a framework needs for models of a format."""
    module = framework(name)
    own: dict[str, Needs] = getattr(module, "NEEDS", {})
    return own.get(model_format) or Needs(module.EXTRA, tuple(module.REQUIRES))


def runtime(name: str, model_format: str = "") -> str:
    """The module whose memory is not the model's: it is imported before memory is counted."""
    module: str = getattr(framework(name), "RUNTIME", "") or next(iter(needs(name, model_format).packages), "")
    return module.replace("-", "_")


def converts(name: str, model_format: str) -> bool:
    """Whether the original must first be written in the framework's own form."""
    return model_format in getattr(framework(name), "CONVERTS", ())


def opener(model_format: str | None) -> str | None:
    """What opens a model of a format where nobody says; None where no framework calls the format its own."""
    return next((name for name in REGISTRY.names if model_format in getattr(framework(name), "OPENS", ())), None)


def reference(model_format: str) -> str | None:
    """What says how a model of a format answers, whatever else runs it; None where no framework calls the format its own."""
    return REFERENCE if model_format == "huggingface" else opener(model_format)


def quantizes(name: str, technique: str, model: Assessment) -> list[str]:
    """The operators of a model that a technique quantizes; empty where the framework's own quantizer chooses, or none does."""
    found: list[str] = getattr(framework(name), "quantizes", lambda *_: [])(technique, model)
    return found


def prepares(name: str, technique: str, model: Assessment) -> str:
    """What is done to a model before a technique's own work; empty where nothing is."""
    done: str = getattr(framework(name), "prepares", lambda *_: "")(technique, model)
    return done


def untimed(name: str, device: str) -> str | None:
    """Why times measured on this device say nothing; None where they do."""
    why: str | None = getattr(framework(name), "untimed", lambda _: None)(device)
    return why


def named(name: str, model: Path) -> list[Node] | None:
    """The nodes of a model that options of a framework's techniques may name; None where its file does not tell."""
    found: list[Node] | None = getattr(framework(name), "named", lambda _: None)(model)
    return found


def called(name: str) -> str:
    """What `named` are in the words of a framework's users."""
    word: str = getattr(framework(name), "NAMED", "node")
    return word


def untold(name: str, called: str, technique: str, options: Mapping[str, Any]) -> str:
    """What of a variant's options, as a plan has them, is not as it is without any; empty where what it is called says so."""
    if not options:
        return ""
    found = msgspec.convert(dict(options), options_of(framework(name), technique))
    return "" if called == in_full(technique, found) else said(unusual(found))


def is_config(name: str, technique: str) -> bool:
    """Whether a technique is a configuration file of the framework's own."""
    suffix: str = getattr(framework(name), "CONFIGS", "")
    return bool(suffix) and technique.endswith(suffix)


def variant_name(name: str, technique: str) -> str:
    """What a variant is called in ids and file names: the technique, or the stem of the configuration file it is."""
    return Path(technique).stem if is_config(name, technique) else technique
