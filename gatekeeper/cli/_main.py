"""The command line: one file per command in this folder, imported when it is used."""

from __future__ import annotations

import errno
import gc
import io
import os
import signal
import sys
from types import FrameType
from typing import NoReturn

import click

from gatekeeper.errors import ExitCode, GatekeeperError
from gatekeeper.registry import Registry

COMMANDS = Registry("cli")
FULL_DISK = (errno.ENOSPC, errno.EDQUOT)
ORDER = (
    "demo", "init", "validate", "assess", "hardware", "scan", "plan", "calibrate", "compare", "run", "report", "explain",
    "repair", "certify", "verify", "serve", "deploy", "watch",
)  # fmt: skip


def ordered() -> list[str]:
    """Commands in the order in which they are used first."""
    known = [name for name in ORDER if name in COMMANDS.builtin]
    return known + [name for name in COMMANDS.builtin if name not in known]


class Commands(click.Group):
    """Lists the folder; imports a command on use."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return ordered()

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS.builtin:
            return None
        command = COMMANDS.get(cmd_name).command
        assert isinstance(command, click.Command)
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS.builtin and not args[0].startswith("-"):
            from gatekeeper.errors import nearest

            raise click.UsageError(f"no such command '{args[0]}'{nearest(args[0], COMMANDS.builtin) or '.'}", ctx)
        return super().resolve_command(ctx, args)


EPILOG = """\b
Exit codes: 0 pass, 1 a gate failed, 2 usage or configuration, 3 inconclusive,
4 something that had to be measured was not, 70 a bug in gatekeeper.

\b
First steps:
  gatekeeper demo                          see a verdict on a model trained here
  gatekeeper init --model model.onnx       write a pipeline file for your model
  gatekeeper run edge_ai_pipeline.yaml     measure and judge it
"""


@click.command(cls=Commands, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="edge-gatekeeper", message="gatekeeper %(version)s")
def cli() -> None:
    """Decide whether an optimized edge-AI model may ship.

    Reads an edge_ai_pipeline YAML, optimizes the model, measures it against the original on this machine, and passes
    or blocks on accuracy, speed, memory and more.
    """


GARBAGE = 50_000
"""Objects between two searches for cycles: at Python's 700 the searches take a tenth of the time of a short command."""


def main() -> NoReturn:
    """Run a command; every expected error is a message and an exit code."""
    gc.set_threshold(GARBAGE)
    speak_utf8()
    prepare()
    sys.exit(execute(sys.argv[1:])[0])


def speak_utf8() -> None:
    """Where file names are not read as UTF-8, be the same process again with Python's UTF-8 mode.

    Pipeline files, reports and messages to workers are UTF-8 everywhere, and the names in them must be those of the files. It
    is set when Python starts, and the environment may forbid it (PYTHONUTF8=0 in the locale C).
    """
    if os.name == "posix" and sys.getfilesystemencoding() != "utf-8" and not sys.flags.utf8_mode and sys.executable:
        os.execv(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]])


def prepare() -> None:
    """Make the process one whose output can be piped and that ends in order when it is told to."""
    signal.signal(signal.SIGTERM, _interrupt)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # What is piped is UTF-8 on every system; a character the terminal lacks must not end the run.
            stream.reconfigure(encoding=None if stream.isatty() else "utf-8", errors="backslashreplace")


def execute(words: list[str]) -> tuple[int, str]:
    """(exit code, the error's message) of one command; the message has been printed already."""
    try:
        with cli.make_context("gatekeeper", list(words)) as context:
            code = cli.invoke(context)
        sys.stdout.flush()
        return (code if isinstance(code, int) else 0), ""
    except click.exceptions.Exit as error:
        return error.exit_code, ""
    except click.ClickException as error:
        error.show()
        return ExitCode.USAGE, error.format_message()
    except (KeyboardInterrupt, click.Abort):
        message = "interrupted: no report was written; what was optimized is kept, and a rerun starts from there."
        click.echo(f"\n{message}", err=True)
        return ExitCode.INTERRUPTED, message
    except GatekeeperError as error:
        click.echo(_printable(str(error)), err=True)
        return error.exit_code, str(error)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.PASS, ""
    except Exception as error:
        if isinstance(error, OSError) and error.errno in FULL_DISK:
            return _no_room(error)
        import traceback

        traceback.print_exc()
        message = f"this is a bug in gatekeeper ({type(error).__name__}). Please report the lines above."
        click.echo(f"\n{message}", err=True)
        return ExitCode.BUG, message


def _no_room(error: OSError) -> tuple[int, str]:
    """A disk may be full wherever something is written: of temporary files, of the cache, behind standard output."""
    message = f"{error.filename or 'a file'}: cannot be written: {error.strerror}. Free some space and run it again."
    click.echo(_printable(message), err=True)
    if error.filename is None and isinstance(sys.stdout, io.TextIOWrapper):  # what stands in its buffer is written at the end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return ExitCode.USAGE, message


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _printable(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()
