"""The command line called from a test: in a process of its own, or in this one where nothing is measured."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from gatekeeper.cli._main import execute
from gatekeeper.errors import ExitCode

Command = Callable[..., subprocess.CompletedProcess[str]]
"""Calls the command line as a user does; a fixture of that type is `gatekeeper`."""
APART = ("demo", "explain", "repair", "serve")
"""They start workers of their own kind, or change the process that they are in."""
OF_A_PROCESS = ("PYTHON", "LC_", "LANG", "TMPDIR")
"""How variables begin that are read once in a process: when Python starts, or what is installed is looked up."""


def call(words: Sequence[object], cwd: Path, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Where it makes no difference, in this process: starting another one takes longer than most commands."""
    told = [str(word) for word in words]
    apart = not told or told[0] in APART or any(name.startswith(OF_A_PROCESS) for name in env)
    return started(told, cwd, env) if apart else called(told, cwd, env)


def started(words: Sequence[str], cwd: Path, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """As a user's shell would."""
    command = [sys.executable, "-m", "gatekeeper", *words]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=os.environ | env, check=False)


def called(words: Sequence[str], cwd: Path, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """In this process, with a folder, an environment and streams of its own."""
    streams = [io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors="backslashreplace") for _ in range(2)]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(cwd)
        for name, value in env.items():
            patch.setenv(name, value)
        for name, stream in zip(("stdout", "stderr"), streams, strict=True):
            patch.setattr(sys, name, stream)
        code, _ = execute(list(words))
    if code == ExitCode.INTERRUPTED:  # whoever interrupts means the tests
        raise KeyboardInterrupt
    for stream in streams:
        stream.flush()
    out, err = (stream.buffer.getvalue().decode() for stream in streams)  # type: ignore[attr-defined]
    return subprocess.CompletedProcess(words, code, out, err)
