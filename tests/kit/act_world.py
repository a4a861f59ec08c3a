"""A user's repository, this action, and a stand-in of GitHub: act runs the real workflow files between them.

act has no `$/` (the running commit's own repository) and no GitHub to fetch actions from. So in the copy of this project
that it sees, `$/` is written out as the repository and ref that it stands for, and the actions of others are small stubs
(tests/actions/stubs). Nothing else is changed.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml
from kit.github_api import REPOSITORY as NAME
from kit.github_api import TOKEN, StandIn
from kit.support import REPOSITORY

ACTION = "example/gatekeeper@v1"
BIN = Path(sys.executable).parent
STUBS = REPOSITORY / "tests/actions/stubs"
COPIED = ("action.yml", "pyproject.toml", "README.md", "LICENSE", "gatekeeper", ".github", "examples/digits-mlp")


def index() -> str:
    """Why uv can install nothing here, or the empty string: the action installs as a runner does, from a package index."""
    command = [BIN / "uv", "pip", "install", "--dry-run", "--reinstall", "--no-cache", "--python", sys.executable, "hatchling"]
    environ = os.environ | {"UV_NATIVE_TLS": "true"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environ)
    return "" if done.returncode == 0 else done.stderr.strip()


def uses(text: str) -> set[str]:
    """Every action and workflow of others that a file calls."""
    return {found.split()[0] for found in re.findall(r"^\s*(?:- )?uses: (.+)$", text, re.MULTILINE)}


@dataclass
class Job:
    """How a job ended: success, failure; and what its steps printed."""

    name: str
    result: str
    text: str
    overhead_s: float = 0.0  # of the action: its steps without the one that does gatekeeper's own work


@dataclass
class Run:
    """A run of one workflow."""

    code: int
    text: str
    jobs: dict[str, Job] = field(default_factory=dict)

    def said(self, pattern: str) -> list[str]:
        """Lines that match."""
        return [line for line in self.text.splitlines() if re.search(pattern, line)]


class World:
    """One user's repository under `root`/repository."""

    def __init__(self, root: Path, api: StandIn):
        self.root, self.api = root, api
        self.repository, self.action, self.artifacts = root / "repository", root / "gatekeeper", root / "artifacts"
        self.programs = root / "programs"  # found before those of the machine
        self.repository.mkdir(parents=True)
        self.git("init", "-q", "-b", "main")
        self.git("remote", "add", "origin", f"https://github.com/{NAME}")
        self._copy_action()

    def _copy_action(self) -> None:
        skipped = shutil.ignore_patterns("__pycache__", "*.onnx", "*.npz", "gatekeeper-report")
        for name in COPIED:
            source, target = REPOSITORY / name, self.action / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, target, ignore=skipped)
            else:
                shutil.copy2(source, target)
        for file in (self.action / ".github/workflows").glob("*.yml"):
            file.write_text(written_out(file.read_text()))
        subprocess.run(["git", "init", "-q", self.action], check=True)
        self._commit(self.action)

    def git(self, *words: str) -> str:
        """git in the user's repository."""
        done = subprocess.run(["git", "-C", self.repository, *words], capture_output=True, text=True, check=True)
        return done.stdout.strip()

    def _commit(self, folder: Path) -> None:
        name = ["-c", "user.name=someone", "-c", "user.email=someone@example.com"]
        subprocess.run(["git", "-C", folder, "add", "-A"], check=True)
        subprocess.run(["git", "-C", folder, *name, "commit", "-qm", "work", "--allow-empty"], check=True)

    def commit(self) -> str:
        """Commit everything in the user's repository."""
        self._commit(self.repository)
        return self.git("rev-parse", "HEAD")

    def pull_request(self, base: str, fork: bool = False, number: int = 7) -> dict[str, Any]:
        """The payload of an event of a pull request with HEAD as its head."""
        own, other = {"id": 1, "full_name": NAME}, {"id": 2, "full_name": "stranger/models"}
        return {
            "pull_request": {
                "number": number,
                "head": {"sha": self.git("rev-parse", "HEAD"), "ref": "topic", "repo": other if fork else own},
                "base": {"sha": base, "ref": "main", "repo": own},
            },
            "repository": {"id": 1, "full_name": NAME, "name": "models", "owner": {"login": "octo"}, "default_branch": "main"},
        }

    def act(
        self,
        event: str,
        payload: dict[str, Any],
        workflow: str = "gatekeeper.yml",
        token: str = TOKEN,
        secrets: Mapping[str, str] = MappingProxyType({}),
        **more: str,
    ) -> Run:
        """Run a workflow of the user's repository on an event; `more` are variables, for the stubs and of the runner."""
        file = self.repository / ".github/workflows" / workflow
        (self.root / "event.json").write_text(json.dumps(payload))
        cache = os.environ.get("UV_CACHE_DIR", str(Path.home() / ".cache/uv"))
        local = {ACTION: self.action} | {name: STUBS / name.partition("@")[0].rpartition("/")[2] for name in self._others()}
        command = [str(BIN / "act"), event, "-W", str(file), "-e", str(self.root / "event.json"), "-s", f"GITHUB_TOKEN={token}"]
        for name, secret in secrets.items():
            command += ["-s", f"{name}={secret}"]
        for label in ("ubuntu-latest", "edge-box", "self-hosted"):
            command += ["-P", f"{label}=-self-hosted"]
        variables = {
            "GITHUB_API_URL": self.api.url,
            "STUB_REPOSITORY": self.repository,
            "STUB_ARTIFACTS": self.artifacts,
            "STUB_CODE": STUBS,
            "RUNNER_ENVIRONMENT": "github-hosted",
            "UV_CACHE_DIR": cache,
            "UV_NATIVE_TLS": "true",  # the certificates that pip and git trust here, too
            "XDG_CACHE_HOME": self.root / "cache",
            **more,
        }
        for name, value in variables.items():
            command += ["--env", f"{name}={value}"]
        for name, folder in local.items():
            command += ["--local-repository", f"{name}={folder}"]
        command += ["--no-cache-server", "--pull=false", "--json", "--action-offline-mode"]
        path = os.pathsep.join([str(self.programs), str(BIN), os.environ["PATH"]])  # act and uv are beside this Python
        environ = os.environ | {"XDG_CACHE_HOME": str(self.root / "cache"), "UV_CACHE_DIR": cache, "PATH": path}
        environ.pop("GITHUB_TOKEN", None)
        done = subprocess.run(command, cwd=self.repository, capture_output=True, text=True, check=False, env=environ)
        return read_run(done.returncode, done.stdout, done.stderr)

    def _others(self) -> set[str]:
        files = [self.action / "action.yml", *(self.action / ".github/workflows").glob("*.yml")]
        files += (self.repository / ".github/workflows").glob("*.yml")
        found = {name for file in files for name in uses(file.read_text())}
        return {name for name in found if not name.startswith(("./", ACTION.partition("@")[0]))}

    def report(self) -> dict[str, Any]:
        """The merged report that the verdict job uploaded."""
        found: dict[str, Any] = json.loads((self.artifacts / "gatekeeper-report/report.json").read_text())
        return found


def written_out(text: str) -> str:
    """`$/` as what it stands for: the repository and the ref that the caller named."""
    name, _, ref = ACTION.partition("@")
    text = re.sub(r"uses: \$/(\S+)", rf"uses: {name}/\1@{ref}", text)
    return re.sub(r"uses: \$/$", f"uses: {ACTION}", text, flags=re.MULTILINE)


def read_run(code: int, out: str, err: str) -> Run:
    """act's lines of JSON, by job."""
    run, texts, times = Run(code, err), {}, {}  # type: Run, dict[str, str], dict[str, float]
    for line in out.splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            run.text += line + "\n"
            continue
        name, message = str(entry.get("job", "")).strip(), str(entry.get("msg", ""))
        run.text += message + "\n"
        texts[name] = texts.get(name, "") + message + "\n"
        if entry.get("step") == ACTION and entry.get("stage") == "Main" and "executionTime" in entry:
            steps = entry["stepID"]
            sign = 1 if len(steps) == 1 else -1 if steps[-1] == "work" else 0
            times[name] = times.get(name, 0.0) + sign * entry["executionTime"] / 1e9
        if "jobResult" in entry:
            run.jobs[name] = Job(name, entry["jobResult"], "")
    for name, job in run.jobs.items():
        job.text, job.overhead_s = texts[name], times.get(name, 0.0)
    return run


def load_yaml(path: Path) -> Any:
    """A workflow; `on` stays a word."""
    return yaml.load(path.read_text(), Loader=yaml.BaseLoader)
