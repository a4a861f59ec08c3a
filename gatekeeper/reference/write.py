"""Writes every generated file of the repository: `make schemas` (`python -m gatekeeper.reference.write`)."""

from __future__ import annotations

from collections.abc import Callable

from gatekeeper.certificate.statement import certificate_schema
from gatekeeper.certificate.trust import trust_schema
from gatekeeper.config.schema import SCHEMAS as OF_FILES
from gatekeeper.config.schema import render
from gatekeeper.reference import (
    action,
    compliance,
    frameworks,
    gates,
    monitoring,
    pipeline_file,
    readme,
    repair,
    scan,
    selection,
    tasks,
    testing,
)
from gatekeeper.reference.tables import REPOSITORY

SCHEMAS = OF_FILES | {
    "gatekeeper-certificate.schema.json": certificate_schema,
    "gatekeeper-trust.schema.json": trust_schema,
}
PAGES: dict[str, Callable[[], str]] = {
    "README.md": readme.page,
    "docs/action.md": action.page,
    "docs/compliance.md": compliance.page,
    "docs/frameworks.md": frameworks.page,
    "docs/gates.md": gates.page,
    "docs/monitoring.md": monitoring.page,
    "docs/pipeline-reference.md": pipeline_file.page,
    "docs/repair.md": repair.page,
    "docs/scan.md": scan.page,
    selection.PAGE: selection.page,
    "docs/tasks.md": tasks.page,
    "docs/testing.md": testing.page,
}
"""The pages that are generated, or hold tables that are."""


def main() -> None:
    """Write them."""
    for name, schema in SCHEMAS.items():
        (REPOSITORY / "schemas" / name).write_text(render(schema()), encoding="utf-8")
    for name, page in PAGES.items():
        (REPOSITORY / name).write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
