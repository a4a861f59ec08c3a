"""What `certify` and `verify` share: inputs that mean nothing there, and how they end where people see it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gatekeeper.errors import ExitCode, GatekeeperError, UsageError
from gatekeeper.github._steps import called, no_commands
from gatekeeper.github.annotations import command
from gatekeeper.github.outputs import append_summary, write_outputs
from gatekeeper.reports._markdown_text import code, fence, text
from gatekeeper.reports._plain import plain

UNUSED = ("TARGET", "FRAMEWORK", "EXTRA", "PACKAGES", "PLAN", "POLICY_REF", "BASELINE_REPORT")
"""Inputs of other commands: who sets one expects something of it."""
OF_CERTIFY = ("BASE", "RUN_ID")
MARKS = {True: "✅", False: "❌"}


@dataclass(frozen=True)
class Ended:
    """One model that was certified, or may be released: `said` is why, `elsewhere` what asks others the same: what it
    is for, and the line.
    """

    certificate: Path
    model: Path
    variant: str
    sha256: str
    signer: str
    said: Sequence[str]
    elsewhere: tuple[str, str] | None = None


@dataclass(frozen=True)
class Result:
    """What came of all models together; `refused` is why it is none."""

    ended: Sequence[Ended]
    refused: Sequence[str] = ()


def ended(name: str, done: str, environ: Mapping[str, str], work: Callable[[], Result]) -> int:
    """Do the work and show what came of it; its exit code. `done` is what a model then is, in a word."""
    try:
        _check_inputs(name, environ)
        result, exit_code = work(), ExitCode.PASS
        if result.refused:
            exit_code = ExitCode.FAILED
    except GatekeeperError as error:
        result, exit_code = Result([], [str(error)]), ExitCode(error.exit_code)
    passed = exit_code is ExitCode.PASS
    with no_commands():
        for each in result.ended if passed else ():
            print("\n".join(plain(said) for said in (f"{done}: {each.model} as {each.variant}", *each.said)))
            print(": ".join(each.elsewhere or ()))
        for said in result.refused:
            print(plain(f"not {done}: {said}", 2000), file=sys.stderr)
    for said in result.refused:
        print(command("error", plain(said), title=f"gatekeeper: not {done}"), flush=True)
    append_summary(_summary(done, result, passed), "", environ)
    values = {"verdict": {ExitCode.PASS: "pass", ExitCode.FAILED: "fail"}.get(exit_code, "error")}
    write_outputs(values | (_outputs(result.ended) if passed else {}), environ)
    return exit_code


def _check_inputs(name: str, environ: Mapping[str, str]) -> None:
    """`UsageError` for an input that is set and does nothing here."""
    for each in (*UNUSED, *(() if name == "certify" else OF_CERTIFY), *(("TRUST",) if name == "certify" else ())):
        if environ.get(each):
            raise UsageError(f"the input {called(each)} does nothing for `{name}`. Remove it.")
    if environ.get("FAIL_ON", "") not in ("", "verdict"):
        raise UsageError(f"`{name}` always fails where its answer is no: fail-on is for `run` and `report`. Remove it.")
    if environ.get("POLICY", "") not in ("", "own") and name != "certify":
        raise UsageError(f"the input policy does nothing for `{name}`: limits stand in the trust file. Remove it.")


def _outputs(every: Sequence[Ended]) -> dict[str, str]:
    """A line for each model, in one order in all of them."""
    return {
        "certificate": "\n".join(each.certificate.as_posix() for each in every),
        "model": "\n".join(each.model.as_posix() for each in every),
        "sha256": "\n".join(each.sha256 for each in every),
        "signer": "\n".join(plain(each.signer) for each in every),
    }


def _summary(done: str, result: Result, passed: bool) -> str:
    lines = [f"## {MARKS[passed]} gatekeeper: {'' if passed else 'not '}{done}", ""]
    for each in result.ended if passed else ():
        lines += [f"{code(str(each.model))} is {code(each.variant)}, and this is why:", ""]
        lines += [f"- {text(said, 2000)}" for said in each.said]
        lines += [f"- the certificate is {code(str(each.certificate))}, SHA-256 {code(each.sha256)}", ""]
        if each.elsewhere:
            lines += [f"{each.elsewhere[0].capitalize()}:", "", fence(each.elsewhere[1], "sh"), ""]
    lines += [f"- {text(said, 2000)}" for said in result.refused]
    return "\n".join(lines) + "\n"
