"""From a pipeline file to a checked `Loaded`, or to every problem it has."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec

from gatekeeper.config.loaded import Loaded
from gatekeeper.config.meaning import meaning_problems
from gatekeeper.config.source import Source, parse_source, read_source
from gatekeeper.config.types import Common, Document
from gatekeeper.errors import ConfigError, Problem, UsageError
from gatekeeper.files import check_name
from gatekeeper.models.submodules import left_out


def load(path: Path, model: Path | None = None) -> Loaded:
    """Read and check a pipeline file; a `ConfigError` lists every problem."""
    check_name(path)
    if model is not None:
        _check_override(model)
    return _checked(path, read_source(path), model)


def proposed(loaded: Loaded, content: bytes) -> Loaded:
    """A file as it would be with that content, which is nowhere on the disk yet; a `ConfigError` lists every problem."""
    source = parse_source(content.decode("utf-8-sig"), loaded.source.path)
    new = _checked(loaded.path, source, loaded.model_override)
    return replace(new, policy=loaded.policy, proposed=sha256(content).hexdigest())


def _checked(path: Path, source: Source, model: Path | None) -> Loaded:
    loaded = Loaded(path=path, pipeline=pipeline_of(source), source=source, model_override=model)
    if problems := meaning_problems(loaded):
        raise ConfigError(source.path, problems)
    return loaded


def pipeline_of(source: Source) -> Common:
    """The pipeline that a file states; a `ConfigError` where it is not of the right structure."""
    pipeline: Common = converted(source, Document).edge_ai_pipeline
    return pipeline


def converted(source: Source, kind: Any) -> Any:
    """A file's content as a type; a `ConfigError` that lists every problem of its structure where it is not one.

    The type decides; its schema, which takes long to import, is asked only to say everything that is wrong.
    """
    try:
        return msgspec.convert(source.data, kind)
    except (msgspec.ValidationError, UnicodeEncodeError) as error:  # of half a character too
        from gatekeeper.config.explain import structure_problems
        from gatekeeper.config.schema import schema_of

        problems = structure_problems(source, schema_of(kind, "", ""))
        raise ConfigError(source.path, problems or [Problem(1, 1, f"{error}.")]) from None


def _check_override(model: Path) -> None:
    """A model from the command line is no part of the file, so it has no line to point at."""
    from gatekeeper.models.files import model_format, there, unknown_format

    check_name(model)
    if said := left_out(model):
        raise UsageError(f"--model {model}: {said}")
    if not there(model):
        raise UsageError(f"--model {model}: no such model. Check the path, or export the model first.")
    if model_format(model) is None:
        raise UsageError(f"--model {model}: {unknown_format(model)}")
