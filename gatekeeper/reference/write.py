"""Writes every generated file of the repository: `make schemas` (`python -m gatekeeper.reference.write`)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from gatekeeper.config.schema import SCHEMAS, render
from gatekeeper.reference import action, frameworks, pipeline_file, testing

REPOSITORY = Path(__file__).resolve().parents[2]

PAGES: dict[str, Callable[[], str]] = {
    "action.md": action.page,
    "frameworks.md": frameworks.page,
    "pipeline-reference.md": pipeline_file.page,
    "testing.md": testing.page,
}
"""The generated pages of docs/."""


def main() -> None:
    """Write them."""
    for name, schema in SCHEMAS.items():
        (REPOSITORY / "schemas" / name).write_text(render(schema()), encoding="utf-8")
    for name, page in PAGES.items():
        (REPOSITORY / "docs" / name).write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
