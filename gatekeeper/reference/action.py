"""docs/action.md, from action.yml and the reusable workflow: every input and output, so that none is told wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from gatekeeper.reference.tables import REPOSITORY

_HEAD = """\
# The action and its workflow

Generated from action.yml and .github/workflows/gate.yml by `python -m gatekeeper.reference.write`.

The reusable workflow is what most repositories want: a matrix job for each target and framework, and one job that carries the
verdict. The action is one of its steps, for workflows of your own.
"""
_JOB = """\
The required check is `<your job> / verdict`. The caller grants `contents: read`, `actions: read` and `pull-requests: write`;
only the verdict job gets the last two. Artifacts: `<name>-plan`, `<name>-leg-<target>.<framework>`, `<name>-report`, and
`<name>-models-<target>.<framework>` if asked for.
"""
_ACTION = """\
`plan` and `run` need a checkout of the repository. Exit codes are those of the command line; `fail-on` says which of them fail
the step. A `run` with `fail-on: error` is a leg of a matrix: it publishes nothing, a later `report` does.

Where a gate says `on_fail: repair` ([docs/repair.md](repair.md)), a run that does not pass looks for a change of the pipeline
file that does. The comment then has it as a diff, and where its lines are part of the pull request it is suggested there, too
(`pull-requests: write`; a fork's token may not, and has the diff).

`certify` and `verify` are the two ends of a release ([docs/release.md](release.md)); `gatekeeper init --release` writes the
workflow around them. Both install nothing but what they take, afresh, and restore no cache; they fail the step wherever the
answer is no, and refuse inputs that mean nothing to them. `certify` belongs into a job of its own, without a checkout, on a
protected ref: it judges the report in `results` again, asks GitHub who approved the run (`actions: read`), and signs each model
that the report selects. `verify` asks nobody, and needs no token.
"""


def page() -> str:
    """The text of the page."""
    gate = _load(REPOSITORY / ".github/workflows/gate.yml")["on"]["workflow_call"]
    action = _load(REPOSITORY / "action.yml")
    parts = [
        _HEAD,
        "## The reusable workflow: `.github/workflows/gate.yml`\n",
        _JOB,
        _table("input", gate["inputs"]),
        _table("output", gate["outputs"]),
        "## The action\n",
        _ACTION,
        _table("input", action["inputs"]),
        _table("output", action["outputs"]),
    ]
    return "\n".join(parts)


def _load(path: Path) -> Any:
    return yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.BaseLoader)  # every value is text: `on` is no truth value


def _table(kind: str, entries: dict[str, dict[str, str]]) -> str:
    inputs = kind == "input"
    lines = [f"| {kind} | means |{' default |' if inputs else ''}", f"| --- | --- |{' --- |' if inputs else ''}"]
    for name, entry in entries.items():
        default = entry.get("default", "")
        cell = f" {f'`{default}`' if default else ''} |" if inputs else ""
        lines.append(f"| `{name}` | {entry['description']} |{cell}")
    return "\n".join(lines) + "\n"
