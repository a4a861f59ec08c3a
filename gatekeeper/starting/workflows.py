"""The workflow files that `gatekeeper init` writes: they call the project's reusable workflow and hold nothing else."""

from __future__ import annotations

import json
import re
from importlib import metadata
from pathlib import Path
from urllib.parse import unquote, urlsplit

from gatekeeper.config.git import git_says
from gatekeeper.errors import UsageError
from gatekeeper.version import DISTRIBUTION

GATE = Path(".github/workflows/gatekeeper.yml")
COMMENT = Path(".github/workflows/gatekeeper-comment.yml")

UNKNOWN = "OWNER/gatekeeper@v1"
_ACTION = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*/[A-Za-z0-9._-]+@[A-Za-z0-9._/-]+")
_POLICY = (
    "github.event.pull_request.base.sha || github.event.merge_group.base_sha || "
    "github.event_name == 'workflow_dispatch' && github.event.repository.default_branch || ''"
)
"""The limits of the branch that a change is for; a push to that branch is held to its own."""

_COMMIT = re.compile(r"[0-9a-f]{40}")


def gate_text(config: str, action: str, branch: str = "main", lfs: bool = False, forks: bool = False) -> str:
    """On every change: measure, judge, comment. `action` is OWNER/REPOSITORY@REF."""
    own = "${{ github.event.pull_request.head.repo.full_name == github.repository && 'always' || 'off' }}"
    return f"""\
# Blocks a pull request whose optimized model does not hold its gates: make "gatekeeper / verdict" a required check.
name: gatekeeper

on:
  pull_request:
  merge_group:
  push:
    branches: [{quoted(branch)}] # pull requests are compared with its report
  workflow_dispatch:

permissions: {{}}

concurrency:
  group: gatekeeper-${{{{ github.ref }}}}
  cancel-in-progress: ${{{{ github.event_name == 'pull_request' }}}}

jobs:
  gatekeeper:
    permissions:
      contents: read # the pipeline file, the model, and waivers of the base branch
      actions: read # the report of the base branch
      pull-requests: write # the comment
{uses(action, "gate.yml")}
    with:
      config: {quoted(config)}
      policy-ref: {_expression(_POLICY)}
{lines(lfs, "      lfs: true")}{lines(forks, f"      comment-mode: {own} # gatekeeper-comment.yml comments for forks")}"""


def comment_text(action: str) -> str:
    """Comments on pull requests from forks, whose own runs may not write. Runs nothing of theirs."""
    return f"""\
# Comments on pull requests from forks. Their own runs may not write, so this one reads the report that they left and shows it.
# It checks out nothing and runs nothing of a pull request; the report is treated as a stranger's.
name: gatekeeper comment

on:
  workflow_run: # zizmor: ignore[dangerous-triggers] nothing of the pull request is checked out or run
    workflows: [gatekeeper]
    types: [completed]

permissions: {{}}

concurrency:
  group: gatekeeper-comment-${{{{ github.event.workflow_run.head_sha }}}}
  cancel-in-progress: true

jobs:
  comment:
    name: comment
    if: >-
      github.event.workflow_run.event == 'pull_request' &&
      github.event.workflow_run.head_repository.full_name != github.repository
    runs-on: ubuntu-latest
    timeout-minutes: 10
    permissions:
      actions: read # the report of that run
      pull-requests: write # the comment
    steps:
{uses(action, "", "      - ")}
        with:
          command: report
          run-id: ${{{{ github.event.workflow_run.id }}}}
          fail-on: never
"""


def parse_action(text: str) -> str:
    """OWNER/REPOSITORY@REF, as it was given."""
    if not _ACTION.fullmatch(text):
        raise UsageError(f"--action '{text}' is not of the form OWNER/REPOSITORY@REF, such as {UNKNOWN}.")
    return text


def find_action() -> str | None:
    """The repository and commit that this installation came from, where it says so and it is on GitHub."""
    try:
        text = metadata.distribution(DISTRIBUTION).read_text("direct_url.json")
        origin = json.loads(text) if text else {}
    except (metadata.PackageNotFoundError, ValueError):
        return None
    if "vcs_info" in origin:
        return _at(str(origin["url"]), str(origin["vcs_info"]["commit_id"]))
    folder = Path(unquote(urlsplit(str(origin.get("url", ""))).path))
    if "dir_info" in origin and (folder / "action.yml").is_file():
        return _at(git_says(folder, "remote", "get-url", "origin"), git_says(folder, "rev-parse", "HEAD"))
    return None


def default_branch(folder: Path) -> str:
    """The branch that pull requests are made against, as far as the clone knows."""
    remote = git_says(folder, "symbolic-ref", "--short", "refs/remotes/origin/HEAD").removeprefix("origin/")
    local = [name for name in ("main", "master") if git_says(folder, "rev-parse", "--verify", "--quiet", f"refs/heads/{name}")]
    return remote or next(iter(local), "") or git_says(folder, "symbolic-ref", "--short", "HEAD") or "main"


def top(folder: Path) -> Path:
    """The repository's own folder, where GitHub looks for workflows; outside of one, the folder itself."""
    root = git_says(folder, "rev-parse", "--show-toplevel")
    return Path(root) if root else folder


def in_lfs(path: Path) -> bool:
    """Whether git keeps this file in LFS."""
    return git_says(path.parent, "check-attr", "filter", "--", path.name).endswith(": lfs")


def ignored(path: Path) -> bool:
    """Whether git leaves this file out, so that a workflow would not find it."""
    return bool(git_says(path.parent, "check-ignore", "--", path.name))


def _at(url: str, commit: str) -> str | None:
    match = re.fullmatch(r"(?:https://|git@|ssh://git@)github\.com[:/](?P<name>[\w.-]+/[\w.-]+?)(?:\.git)?/?", url)
    return f"{match['name']}@{commit}" if match and _COMMIT.fullmatch(commit) else None


def uses(action: str, workflow: str, indent: str = "    ") -> str:
    """The line that calls the action, or one of its workflows."""
    name, _, ref = action.partition("@")
    line = f"{indent}uses: {name}{'/.github/workflows/' + workflow if workflow else ''}@{ref}"
    if action != UNKNOWN:
        return line
    return f"{' ' * len(indent)}# CHANGE: the repository of gatekeeper that you use.\n{line}"


def quoted(text: str) -> str:
    """A YAML scalar that GitHub takes as text: it would look for expressions in it, and YAML for escapes."""
    return json.dumps(text.replace("${{", "${{ '${{' }}"), ensure_ascii=False)


def lines(wanted: bool, text: str) -> str:
    """A line that stands there only where it is wanted."""
    return text + "\n" if wanted else ""


def _expression(text: str) -> str:
    return "${{ " + text + " }}"
