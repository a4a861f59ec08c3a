"""Which file in a checkout of the base branch holds a pipeline file that is not there under its name."""

from __future__ import annotations

import os
from pathlib import Path

from gatekeeper.config.base import Checkout
from gatekeeper.config.following import OfModel, check_not_another, followed


def held_by(base: Path, config: str, model: OfModel) -> Path | None:
    """The base's file: of the same name, or the one that this follows; None where its own limits are all there is.

    A `UsageError` where the base does not take it.
    """
    tree = Checkout(base)
    if Path(base, config).is_file():
        check_not_another(tree, config, model)
        return Path(base, config)
    found = followed(tree, config, model)
    return None if found is None else Path(base, found)


def of_checkout(config: Path, stated: Path | None) -> OfModel:
    """The model of a pipeline file in the working folder, or one that is named instead."""
    from gatekeeper.config.policy import limits_file
    from gatekeeper.data.content import content

    model = stated or limits_file(config).model_path()
    if model is None:
        return OfModel()
    path = os.path.relpath(model.absolute(), Path.cwd()).replace(os.sep, "/")
    return OfModel(path, content(model) if model.exists() else "")


def of_results(results: Path) -> OfModel:
    """The model that results say they measured: where they are merged the change itself is not at hand."""
    from gatekeeper.reports._folder import REPORT
    from gatekeeper.reports._read import read_report

    first = next(iter(sorted(results.rglob(REPORT))), None) if results.is_dir() else results
    if first is None:
        return OfModel()
    about = read_report(first).model
    return OfModel(about.path, about.sha256)
