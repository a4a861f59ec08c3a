"""Objects for Kubernetes held to Kubernetes' own schemas, by which a key that it does not know is wrong. Offline."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from gatekeeper.records.packaged import Validated
from gatekeeper.version import install_hint

KUBERNETES = "1.34"
SCHEMA = f"Kubernetes {KUBERNETES}"
MOST_SAID = 300


def unheld() -> str:
    """What to install; empty where the schemas are here."""
    try:
        import kubernetes_validate  # noqa: F401
    except ImportError:
        return f"the package kubernetes-validate is not installed. {install_hint('deploy')}"
    return ""


def validated(folder: Path, names: Iterable[str]) -> list[Validated]:
    """Every object in those files of a package, by the schema of its kind; of what has none here that is said."""
    from kubernetes_validate import utils

    found = []
    for name, document in _documents(folder, names):
        kind, problem, schema = str(document["kind"]), "", SCHEMA
        try:
            utils.validate(document, KUBERNETES, strict=True)
        except utils.SchemaNotFoundError:
            schema = ""
        except utils.ValidationError as error:
            place = ".".join(map(str, error.absolute_path))
            problem = f"{place + ': ' if place else ''}{error.message}"[:MOST_SAID]
        found.append(Validated(file=name, kind=kind, schema=schema, problem=problem))
    return found


def objects(folder: Path, names: Iterable[str]) -> bool:
    """Whether there is any."""
    return any(True for _ in _documents(folder, names))


def _documents(folder: Path, names: Iterable[str]) -> Iterator[tuple[str, Any]]:
    """What says of itself that it is an object: of a kind, and of a version of an API."""
    import yaml

    for name in sorted(name for name in names if name.endswith((".yaml", ".yml"))):
        for document in yaml.safe_load_all((folder / name).read_text(encoding="utf-8")):
            if isinstance(document, dict) and {"apiVersion", "kind"} <= set(document):
                yield name, document
