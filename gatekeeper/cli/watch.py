"""`gatekeeper watch`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gatekeeper.cli import _options

if TYPE_CHECKING:
    from gatekeeper.config.loaded import Loaded
    from gatekeeper.monitor.answering.server import Answers
    from gatekeeper.monitor.decide import Look
    from gatekeeper.monitor.look import Watched
    from gatekeeper.monitor.resolution.resolve import Resolver

EPILOG = """\b
Exit codes: 0 nothing to tell, 1 an alert fires, 2 usage or configuration, 3 too
little was seen to say that all is well, 4 something could not be read.

\b
Examples:
  gatekeeper watch edge_ai_pipeline.yaml --learn gatekeeper-report/artifacts/edge-cpu__onnx_runtime__int8_dynamic.onnx
  gatekeeper watch edge_ai_pipeline.yaml --learn good-week.jsonl
  gatekeeper watch edge_ai_pipeline.yaml --once --format json
  gatekeeper watch edge_ai_pipeline.yaml --write monitoring/
"""


@click.command(short_help="Watch a deployed model: alerts, and drift told from noise.", epilog=EPILOG)
@_options.pipeline_file
@click.option("--once", is_flag=True, help="Look once, and say by the exit code what was seen.")
@click.option("--format", "form", type=click.Choice(["terminal", "json"]), default="terminal", show_default=True)
@click.option("--state", type=click.Path(path_type=Path), help="What is kept between looks [default: beside FILE].")
@click.option(
    "--learn", type=click.Path(path_type=Path), metavar="WHAT",
    help="Write the reference: what is normal, by an artifact's answers to the evaluation set, or a log of a good time.",
)  # fmt: skip
@click.option(
    "--write", type=click.Path(path_type=Path, file_okay=False), metavar="DIR",
    help="Write Prometheus rules with their tests, an Alertmanager configuration and a Grafana dashboard. Nothing is watched.",
)  # fmt: skip
@click.option(
    "--rehearse", is_flag=True,
    help="Inject each fault before a Prometheus and an Alertmanager of its own, and see who is told. Takes a minute.",
)  # fmt: skip
@click.option(
    "--listen", metavar="HOST:PORT",
    help="Answer /metrics, and /v1/verdict to Argo Rollouts and Flagger, while it watches (docs/monitoring.md). No password.",
)  # fmt: skip
def command(
    file: Path,
    once: bool,
    form: str,
    state: Path | None,
    learn: Path | None,
    write: Path | None,
    rehearse: bool,
    listen: str | None,
) -> int:
    """Watch the model that FILE describes, where it is deployed.

    `monitoring` in FILE says what to read: a Prometheus, or the server's own /metrics, for latency, errors, requests and
    confidence; a log of requests for inputs, answers and labels. Each look asks whether limits are kept (those of the file,
    and of the certificate that it names) and whether confidence, answers or inputs have moved away from the reference. All
    looks together raise a false alarm about drift with a probability of at most 5 %, however long it watches.

    Where `monitoring.resolution` is in FILE, an alert tries its steps, one after another, each beside what serves and kept only
    if the alert's own metric gets better; when nothing helps, whom it names is told.

    What cannot be read is never taken for zero or for health: it is said, and is exit code 4. Ended by Ctrl-C or SIGTERM, the
    exit code is that of the last look.
    """
    from gatekeeper.config.load import load
    from gatekeeper.errors import UsageError

    loaded = load(file)
    if learn is not None:
        _learn(loaded, learn)
    if write is not None:
        _write(loaded, write)
    if rehearse:
        return _rehearse(loaded)
    if learn is not None or write is not None:
        return 0
    if once and listen is not None:
        raise UsageError("--once looks and ends, and --listen answers while it watches. Give one of them.")
    return _watch(loaded, state or file.with_name(f".gatekeeper-watch-{file.stem}.json"), once, form, listen)


def _watch(loaded: Loaded, path: Path, once: bool, form: str, listen: str | None) -> int:
    """Look, once or again and again, and do about it what the file says."""
    import os
    import time
    from contextlib import ExitStack

    from gatekeeper.errors import ExitCode
    from gatekeeper.monitor.look import watched_of
    from gatekeeper.monitor.resolution.resolve import resolver
    from gatekeeper.monitor.state import alone
    from gatekeeper.units import parse_duration

    watched, last = watched_of(loaded), ExitCode.INCONCLUSIVE
    every = parse_duration(loaded.pipeline.monitoring.every) if loaded.pipeline.monitoring else 0.0
    with ExitStack() as stack:
        stack.enter_context(alone(path))
        acts = stack.enter_context(resolver(loaded, path, os.environ, _note))
        answers = stack.enter_context(_answering(loaded, path, listen, acts))
        try:
            due = time.monotonic()
            while True:
                seen = _look(watched, path)
                last = seen.exit_code
                answers.look = seen
                _show(seen, form, once)
                if acts is not None:
                    acts.answer(seen)
                if once:
                    return int(last)
                due = max(due + every, time.monotonic())
                time.sleep(due - time.monotonic() if due > time.monotonic() else 0)
        except KeyboardInterrupt:
            if once:
                raise
            return int(last)


def _note(said: str) -> None:
    from gatekeeper.reports._plain import plain

    click.echo(plain(said), err=True)


@contextmanager
def _answering(loaded: Loaded, path: Path, listen: str | None, acts: Resolver | None) -> Iterator[Answers]:
    """What is answered from, and who answers where that was asked for."""
    from gatekeeper.monitor.answering.rollouts import rollouts_of
    from gatekeeper.monitor.answering.server import Answers, answering

    if listen is None:
        yield Answers()
        return
    rollouts = rollouts_of(loaded, path.with_name(f"{path.stem}-rollouts.json"))
    answers = Answers(rollouts, tried=lambda: list(acts.journal.entries) if acts is not None else [])
    with answering(listen, answers) as url:
        click.echo(f"{url}/metrics{' and /v1/verdict' if rollouts else ''}", err=True)
        yield answers


def _look(watched: Watched, path: Path) -> Look:
    """One look, counted before it looks."""
    import hashlib
    import time

    from gatekeeper.monitor.look import look
    from gatekeeper.monitor.reference import written
    from gatekeeper.monitor.state import State, read_state, write_state

    identity = hashlib.sha256(written(watched.known)).hexdigest() if watched.known else ""
    state = read_state(path)
    number = state.looks + 1 if not state.looks or not identity or state.reference in (identity, "") else 1
    kept = {name: dict(value) for name, value in state.kept.items() if isinstance(value, dict)}
    write_state(path, State(looks=number, reference=identity or state.reference, kept=dict(kept)))
    seen = look(watched, number, time.time(), kept)
    write_state(path, State(looks=number, reference=identity or state.reference, kept=dict(kept)))
    return seen


def _show(seen: Look, form: str, once: bool) -> None:
    import msgspec

    from gatekeeper.monitor.text import text
    from gatekeeper.reports._plain import plain

    if form == "json":
        encoded = msgspec.json.encode(seen)
        click.echo((msgspec.json.format(encoded, indent=2) if once else encoded).decode())
    else:
        click.echo("\n".join(line[: len(line) - len(line.lstrip())] + plain(line) for line in text(seen).splitlines()))


def _learn(loaded: Loaded, what: Path) -> None:
    """Write the reference that an artifact or a log makes."""
    import time

    from gatekeeper.cli._terminal import watching
    from gatekeeper.monitor.learning import learn

    with watching(quiet=False) as progress:
        click.echo(learn(loaded, what, time.time(), progress))


def _rehearse(loaded: Loaded) -> int:
    """Every trial of every rule, and whether it went as it must."""
    from gatekeeper.errors import ExitCode
    from gatekeeper.monitor.look import watched_of
    from gatekeeper.monitor.rehearsal import rehearse
    from gatekeeper.monitor.written.files import site_of
    from gatekeeper.process.scratch import scratch_folder

    watched = watched_of(loaded)
    assert loaded.pipeline.monitoring is not None  # else there was nothing to watch
    with scratch_folder() as folder:
        found = rehearse(watched, site_of(loaded.pipeline.monitoring, watched), folder)
    for each in found:
        said = "alert" if each.told else "silent"
        wrong = "" if each.holds else "  WRONG: the series never arrived" if not each.arrived else "  WRONG"
        click.echo(f"{each.rule:<26} {each.trial:<28} {said}{wrong}")
    held = sum(each.holds for each in found)
    click.echo(f"{held} of {len(found)} trials went as they must")
    return ExitCode.PASS if found and held == len(found) else ExitCode.FAILED


def _write(loaded: Loaded, folder: Path) -> None:
    """Write what Prometheus, Alertmanager and Grafana read."""
    from gatekeeper.files import check_own, make_folder, write_together
    from gatekeeper.monitor.look import watched_of
    from gatekeeper.monitor.written.files import files

    check_own(folder)
    made, left_out = files(loaded.pipeline.monitoring, watched_of(loaded))
    make_folder(folder)
    write_together({folder / name: content for name, content in made.items()})
    for name in made:
        click.echo(f"{folder / name}")
    for said in left_out:
        click.echo(said, err=True)
