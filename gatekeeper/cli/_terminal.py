"""Progress on standard error, results on standard output; both readable in a log."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from gatekeeper.errors import UsageError
from gatekeeper.progress import Progress, Silent
from gatekeeper.records.report import Report


def show(report: Report) -> None:
    """Print the result, with colour on a terminal."""
    from rich.console import Console

    from gatekeeper.reports.terminal import renderables

    class Lines(Console):
        def on_broken_pipe(self) -> None:
            """Rich would end the process with 1, which means that a gate failed."""
            raise BrokenPipeError

    # A log file has no width of its own; wide enough that a table keeps its rows.
    console = Lines(highlight=False, soft_wrap=False, width=None if sys.stdout.isatty() else 140)
    for part in renderables(report):
        console.print(part)


@contextmanager
def printing(kept: bool) -> Iterator[None]:
    """Around what prints a verdict: a reader that went away changes none, nor does a full disk where a folder has it `kept`."""
    try:
        yield
        sys.stdout.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what stands in its buffer is written at the end
        said = f"standard output cannot be written: {error.strerror}."
        if not (kept or isinstance(error, BrokenPipeError)):
            raise UsageError(f"{said} Free some space, or write elsewhere.") from None
        if not isinstance(error, BrokenPipeError):
            print(f"{said} The reports in the folder are whole.", file=sys.stderr)


@contextmanager
def watching(quiet: bool) -> Iterator[Progress]:
    """A live display on a terminal, plain lines elsewhere, nothing when quiet."""
    if quiet:
        yield Silent()
    elif sys.stderr.isatty():
        with _live() as progress:
            yield progress
    else:
        yield LoggedLines()


class LoggedLines:
    """One line per event, for logs."""

    def step(self, text: str) -> None:
        """A new step."""
        print(f"- {_safe(text)}", file=sys.stderr, flush=True)

    def note(self, text: str) -> None:
        """Something to keep."""
        print(f"  {_safe(text)}", file=sys.stderr, flush=True)

    def round(self, number: int, most: int, undecided: list[str]) -> None:
        """A round, in every fourth line."""
        if number % 4 == 0 or not undecided:
            left = f"{len(undecided)} undecided" if undecided else "all decided"
            print(f"  round {number} of at most {most}, {left}", file=sys.stderr, flush=True)


@contextmanager
def _live() -> Iterator[Progress]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Bars(*columns, console=Console(stderr=True), transient=False, refresh_per_second=4) as bars:

        class Live:
            task = None

            def step(self, text: str) -> None:
                self.end()
                self.task = bars.add_task(_escaped(text), total=None)

            def note(self, text: str) -> None:
                bars.console.print(_escaped(text), style="yellow")

            def round(self, number: int, most: int, undecided: list[str]) -> None:
                if self.task is not None:
                    bars.update(self.task, total=most if undecided else number, completed=number)

            def end(self) -> None:
                if self.task is not None and not bars.tasks[self.task].finished:
                    bars.update(self.task, total=1, completed=1)

        live = Live()
        yield live
        live.end()


def _safe(text: str) -> str:
    from gatekeeper.reports._plain import plain

    return plain(text)


def _escaped(text: str) -> str:
    from rich.markup import escape

    return escape(_safe(text))
