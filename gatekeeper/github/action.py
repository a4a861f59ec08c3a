"""The action: the command line with inputs from variables, and its result where GitHub shows it.

Three steps, so that the token that may write is not in the environment of the one that runs a model's own code:
`extras` says what to install, `work` plans, measures or merges, `publish` shows the result and gives the exit code.
"""

from __future__ import annotations

import os
import shlex
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from gatekeeper.cli._main import execute
from gatekeeper.errors import ExitCode, GatekeeperError, NotMeasured, UsageError
from gatekeeper.github._steps import COMMANDS, POLICIES, WAIVERS, choice, config, no_commands, output, relative, run_id
from gatekeeper.github.outputs import write_outputs
from gatekeeper.reports._folder import withdraw
from gatekeeper.reports._plain import plain

if TYPE_CHECKING:
    from gatekeeper.planning.plan import Plan
    from gatekeeper.records.report import Report

RELEASE = ("certify", "verify")
"""Commands that a release is made with: each ends with its own exit code, and shows its result itself."""
FAIL_ON = ("verdict", "error", "never")
MODES = ("always", "changes", "failures", "off")
CACHES = ("keep", "fresh")
PLAN = "plan.json"
FILES = {"report-json": "report.json", "report-markdown": "report.md", "junit": "junit.xml", "sarif": "report.sarif"}


def extras(environ: Mapping[str, str]) -> int:
    """Print the extras that the legs of a `run` need, with commas."""
    try:
        with _stdout_to_stderr():
            plan = _plan(environ)
    except GatekeeperError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    print(",".join(sorted({leg.extra for leg in plan.legs if leg.extra and not leg.skip})))
    return 0


def work(environ: Mapping[str, str]) -> int:
    """`plan`, `certify` and `verify` end with their own exit code; `run` and `report` leave theirs to `publish`, as outputs."""
    command, before = "", _identity(environ)
    try:
        command = choice(environ, "COMMAND", COMMANDS)
        if command in RELEASE:
            return _released(command, environ)
        if command != "plan":  # what a commit or a job before brought along must not be taken for this one's
            withdraw(output(environ), [Path(environ["RESULTS"])] if environ.get("RESULTS") else [])
        choice(environ, "FAIL_ON", FAIL_ON)
        if command == "plan":
            return _plan_matrix(environ)
        if command == "report" and environ.get("RUN_ID"):
            code, message = _render_fetched(environ), ""
        else:
            words = _report_words(environ) if command == "report" else _run_words(environ)
            with no_commands():
                print(f"gatekeeper {shlex.join(words)}", flush=True)
                code, message = execute(words)
    except GatekeeperError as error:
        with no_commands():
            print(error, file=sys.stderr)
        write_outputs({"exit-code": str(int(error.exit_code)), "message": plain(str(error)), "verdict": "error"}, environ)
        return 0 if command in ("run", "report") else error.exit_code
    # An earlier report may lie in the folder, of a job before on a machine of one's own: it is not this one's.
    now = _identity(environ)
    report = _read(environ) if now is not None and now != before else None
    if report and command == "report" and environ.get("RESULTS"):
        _gather_repair(environ, report)
    outputs = {"exit-code": str(int(code)), "message": plain(message), "verdict": report.verdict.value if report else "error"}
    write_outputs(outputs | (_counts(report) | _paths(environ) if report else {}), environ)
    return 0


def publish(environ: Mapping[str, str]) -> int:
    """Summary, annotations and comment, then the exit code that `fail-on` asks for."""
    from gatekeeper.github.publish import show

    code = environ.get("EXIT_CODE", "")
    message = environ.get("MESSAGE", "") or ("" if code else "gatekeeper could not be installed or was stopped; see its log.")
    number = int(code) if code.isdigit() else int(ExitCode.NOT_MEASURED)
    fail_on = environ.get("FAIL_ON", "") or "verdict"
    try:
        mode = choice(environ, "COMMENT_MODE", MODES)
    except GatekeeperError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    try:
        report = _read(environ) if environ.get("REPORT") else None
        number = show(environ, report, message, mode, quiet=fail_on == "error") or number
    except GatekeeperError as error:
        print(error, file=sys.stderr)
        number = number or int(error.exit_code)
    return exit_code(number, fail_on)


def exit_code(code: int, fail_on: str) -> int:
    """What the step ends with. Wrong usage, bugs and interruptions always fail it."""
    judged = {ExitCode.FAILED, ExitCode.INCONCLUSIVE} | ({ExitCode.NOT_MEASURED} if fail_on == "never" else set())
    return 0 if fail_on in ("error", "never") and code in judged else code


def _released(command: str, environ: Mapping[str, str]) -> int:
    from gatekeeper.github import certify, verify

    return certify.step(environ) if command == "certify" else verify.step(environ)


def _plan_matrix(environ: Mapping[str, str]) -> int:
    import msgspec

    from gatekeeper.files import check_own, make_folder, write_atomic
    from gatekeeper.planning.plan import github_matrix

    plan = _plan(environ)
    matrix = github_matrix(plan)
    file = Path(environ.get("OUTPUT", "") or "gatekeeper-report") / PLAN
    check_own(file.parent)
    make_folder(file.parent)
    write_atomic(file, msgspec.json.encode(plan))
    write_outputs({"matrix": matrix, "plan": file.as_posix()}, environ)
    with no_commands():
        for leg in plan.legs:
            print(f"{leg.id}: {leg.error or (leg.skip and 'left out: ' + leg.skip) or f'{len(leg.variants)} variants'}")
    return 0


def _plan(environ: Mapping[str, str]) -> Plan:
    import msgspec

    from gatekeeper.config.load import load
    from gatekeeper.planning.plan import choose_legs, commit_from, make_plan, model_of

    model = environ.get("MODEL", "")
    loaded = load(Path(config(environ)), Path(model) if model else None)
    plan = make_plan(loaded, model_of(loaded)[1], commit_from(environ))
    legs = choose_legs(plan, environ.get("TARGET", "") or None, environ.get("FRAMEWORK", "") or None)
    return msgspec.structs.replace(plan, legs=legs)


def _run_words(environ: Mapping[str, str]) -> list[str]:
    words = ["run", config(environ), "--output", output(environ).as_posix()]
    for flag, name in (("--model", "MODEL"), ("--target", "TARGET"), ("--framework", "FRAMEWORK")):
        words += [flag, environ[name]] if environ.get(name) else []
    words += ["--base", environ["BASE"]] if environ.get("BASE") and Path(environ["BASE"]).is_dir() else []
    words += _policy(environ, _held_by(environ))
    if choice(environ, "CACHE", CACHES) == "fresh":
        words += ["--cache-dir", tempfile.mkdtemp(prefix="gatekeeper-cache-", dir=environ.get("RUNNER_TEMP") or None)]
    words += ["--defer-verdict"] if environ.get("FAIL_ON") == "error" else []
    return words + _baseline(environ)


def _report_words(environ: Mapping[str, str]) -> list[str]:
    words = ["report", "--output", output(environ).as_posix()]
    if environ.get("POLICY_REF"):
        raise UsageError("`policy-ref` is for `run`, which has a clone. `report` takes `policy: base` and a checkout in `base`.")
    results = environ.get("RESULTS", "")
    if not results:
        raise UsageError("`report` needs `results`: the folder with what the legs uploaded.")
    if environ.get("PLAN"):
        words += ["--plan", environ["PLAN"]]
    held = _held_by(environ, results)
    words += _policy(environ, held)
    base = environ.get("BASE", "")
    if base and (waivers := (held or Path(base, relative(environ))).parent / WAIVERS).is_file():
        words += ["--waivers", waivers.as_posix()]
    return [*words, *_baseline(environ), results]


def _policy(environ: Mapping[str, str], held: Path | None) -> list[str]:
    """Whose limits apply: those at a ref, or of the base branch's file."""
    if environ.get("POLICY_REF"):
        return ["--policy-ref", environ["POLICY_REF"]]
    return ["--policy", held.as_posix()] if held else []


def _held_by(environ: Mapping[str, str], results: str = "") -> Path | None:
    """The base branch's file whose limits apply, where they do: that of the same name, or the one that this one follows."""
    from gatekeeper.github.follow import held_by, of_checkout, of_results

    if environ.get("POLICY_REF") or choice(environ, "POLICY", POLICIES) == "own":
        return None
    if not environ.get("BASE"):
        raise UsageError("`policy: base` needs `base`: a folder with a checkout of the base branch.")
    named, base = relative(environ), Path(environ["BASE"])
    if not base.is_dir():
        raise UsageError(f"{environ['BASE']}: no such folder. `base` must be a checkout of the base branch.")
    stated = environ.get("MODEL", "")
    model = of_results(Path(results)) if results else of_checkout(Path(named), Path(stated) if stated else None)
    found = held_by(base, named, model)
    if found is None:
        _notice(f"{named} is new: the base branch has no pipeline file that it could follow, so its own limits apply")
    elif found != base / named:
        _notice(f"{named} is not on the base branch: it is held to {found.relative_to(base)} there, which is of the same model")
    return found


def _baseline(environ: Mapping[str, str]) -> list[str]:
    """The report of the base branch, where there is one. Its absence is no error: a first pull request has none."""
    stated = environ.get("BASELINE_REPORT", "")
    if stated != "auto":
        return ["--baseline-report", stated] if stated else []
    from gatekeeper.github.artifact import fetch_report
    from gatekeeper.github.context import read_event

    event = read_event(environ)
    if not event.base_ref:
        return []
    try:
        fetched = fetch_report(event, environ.get("TOKEN", ""), environ.get("ARTIFACT", ""), branch=event.base_ref)
    except GatekeeperError as error:
        _notice(f"not compared with {event.base_ref}: {error}")
        return []
    if fetched.data is None:
        _notice(f"not compared with {event.base_ref}: {fetched.reason}")
        return []
    return ["--baseline-report", _kept(environ, fetched.data, "base")]


def _render_fetched(environ: Mapping[str, str]) -> int:
    """Write the reports of another run again, as it judged them: it may be a stranger's, and nothing of it is believed."""
    from gatekeeper.cli._terminal import show
    from gatekeeper.github.artifact import fetch_report
    from gatekeeper.github.context import read_event
    from gatekeeper.reports._read import read_report
    from gatekeeper.reports._write import write_reports
    from gatekeeper.verdicts.again import judged_again
    from gatekeeper.verdicts.judge import exit_code as judged

    number = run_id(environ)
    fetched = fetch_report(read_event(environ), environ.get("TOKEN", ""), environ.get("ARTIFACT", ""), run_id=number)
    if fetched.data is None:
        raise NotMeasured("data", f"run {number} left no report: {fetched.reason}")
    report = judged_again(read_report(Path(_kept(environ, fetched.data, "run"))), lambda target, variant: variant.gates)
    write_reports(report, output(environ))
    with no_commands():
        show(report)
    return judged(report)


def _kept(environ: Mapping[str, str], data: bytes, name: str) -> str:
    """A file of its own in a fresh folder: nothing of the archive names it."""
    folder = Path(tempfile.mkdtemp(prefix=f"gatekeeper-{name}-", dir=environ.get("RUNNER_TEMP") or None))
    file = folder / "report.json"
    file.write_bytes(data)
    return file.as_posix()


def _read(environ: Mapping[str, str]) -> Report:
    from gatekeeper.reports._read import read_report

    return read_report(output(environ) / "report.json")


def _identity(environ: Mapping[str, str]) -> tuple[int, int] | None:
    """What tells one report.json from the next: each is written as a new file."""
    try:
        status = (output(environ) / "report.json").stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns


def _counts(report: Report) -> dict[str, str]:
    counts = Counter(v.verdict.value for t in report.targets for v in t.variants)
    legs = sum(bool(leg.error) for t in report.targets for leg in t.legs)
    return {
        "passed": str(counts["pass"]),
        "failed": str(counts["fail"]),
        "inconclusive": str(counts["inconclusive"]),
        "errored": str(counts["error"] + legs),
    }


def _paths(environ: Mapping[str, str]) -> dict[str, str]:
    folder = output(environ)
    return {name: (folder / file).as_posix() for name, file in FILES.items() if (folder / file).is_file()}


MOST_REPAIRS = 256


def _gather_repair(environ: Mapping[str, str], report: Report) -> None:
    """Put what a leg found of a repair beside the merged report: one that passes rather than one that says why there is none."""
    from itertools import islice

    import msgspec

    from gatekeeper.files import check_own, make_folder, write_atomic
    from gatekeeper.github.publish import repair_of
    from gatekeeper.reports._folder import REPAIR

    places = islice(sorted(Path(environ["RESULTS"]).rglob(REPAIR)), MOST_REPAIRS)
    found = [each for place in places if (each := repair_of({"OUTPUT": place.parent.parent.as_posix()}, report))]
    chosen = next((each for each in found if each.outcome == "repaired"), next(iter(found), None))
    if chosen is not None:
        place = output(environ) / REPAIR
        check_own(place.parent)
        make_folder(place.parent)
        write_atomic(place, msgspec.json.encode(chosen))


def _notice(text: str) -> None:
    from gatekeeper.github.annotations import command

    print(command("notice", text, title="gatekeeper"), flush=True)


@contextmanager
def _stdout_to_stderr() -> Iterator[None]:
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)
