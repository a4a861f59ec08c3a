"""What GitHub's own parser and evaluator say, through node; and where the packages for it are."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parent
MODULES = FOLDER / "node_modules"


def needed() -> None:
    """Skip where node or its packages are missing; `make test` brings the packages where npm can."""
    if shutil.which("node") is None or not MODULES.is_dir():
        pytest.skip("node or its packages are not there: run `npm ci` in tests/actions")


def ask(files: dict[str, str] | None = None, expressions: list[tuple[str, dict[str, Any]]] | None = None) -> dict[str, Any]:
    """Errors and jobs of each file, and the value of each expression as GitHub would write it."""
    needed()
    asked = json.dumps({"files": list((files or {}).items()), "expressions": expressions or []})
    command = ["node", "--import", "./hook.mjs", "check.mjs"]
    done = subprocess.run(command, cwd=FOLDER, input=asked, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def value(expression: str, **contexts: Any) -> str:
    """One expression, without its ${{ }}."""
    [found] = ask(expressions=[(expression.strip().removeprefix("${{").removesuffix("}}").strip(), contexts)])["expressions"]
    return str(found)
