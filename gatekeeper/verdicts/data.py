"""Whether results rest on the same data and code, and on what their file and policy pin. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from gatekeeper.config.loaded import Loaded
from gatekeeper.config.pins import code_problems, mismatch, pins
from gatekeeper.config.user_code import functions, named
from gatekeeper.errors import UsageError
from gatekeeper.records.base import Verdict
from gatekeeper.records.data import CALIBRATION, EVALUATION, Data, DataSet
from gatekeeper.records.report import Report
from gatekeeper.verdicts.rules import Rules

JUDGED = (Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE)


def difference(first: Report, other: Report) -> str:
    """How the data or the code of two reports differ, in words; empty where they do not."""
    one, two = first.data, other.data
    if one is None or two is None:
        return "" if one is two else "some of the results say which data they rest on, and others do not. Run every leg again."
    for what in dict.fromkeys([*one.sets, *two.sets]):
        mine, theirs = one.sets.get(what), two.sets.get(what)
        if mine and theirs and mine.sha256 != theirs.sha256:
            files = f"{mine.source} is {mine.sha256[:12]} in one and {theirs.sha256[:12]} in another"
            return f"the results rest on different data: of {what}, {files}. Give every leg the same, and let a loader return it."
        if (mine is None) != (theirs is None) and all(map(_judged, (first, other))):
            return f"the results rest on different data: only some of them read {what}. Run every leg again."
    for name in dict.fromkeys([*one.code, *two.code]):
        if name in one.code and name in two.code and one.code[name].sha256 != two.code[name].sha256:
            digests = f"{one.code[name].sha256[:12]} and {two.code[name].sha256[:12]}"
            return f"the results come from different code of {name} ({digests}). Run every leg on one commit."
    return ""


def joined(reports: Sequence[Report]) -> Data | None:
    """What all of them read; what a base report was held against is said anew."""
    known = [_of_policy(report) for report in reports if report.data is not None]
    if not known:
        return None
    sets = {what: each for data in reversed(known) for what, each in data.sets.items()}
    return Data(
        evaluation=sets.get(EVALUATION),
        calibration=sets.get(CALIBRATION),
        also={name: each for data in reversed(known) for name, each in data.also.items()},
        code={name: each for data in reversed(known) for name, each in data.code.items()},
    )


def _of_policy(report: Report) -> Data:
    data = report.data or Data()

    def own(each: DataSet | None) -> DataSet | None:
        stale = each is not None and each.at != report.pipeline.policy
        return replace(each, before="", at="") if each is not None and stale else each

    also = {name: kept for name, each in data.also.items() if (kept := own(each))}
    return replace(data, evaluation=own(data.evaluation), calibration=own(data.calibration), also=also)


def _judged(report: Report) -> bool:
    """Whether any variant was, so that data must have been read."""
    return any(variant.verdict in JUDGED for target in report.targets for variant in target.variants)


def check_pinned(reports: Sequence[Report], names: Sequence[str], rules: Rules) -> None:
    """A `UsageError` for the first result that rests on other data, or other code, than the file or its policy pins."""
    for report, name in zip(reports, names, strict=True):
        for source in filter(None, (rules.file, None if rules.file and rules.file.policy else rules.policy)):
            if said := next(_unpinned(report, source), ""):
                raise UsageError(f"{name}: {said}")


def check_code(reports: Sequence[Report], names: Sequence[str], rules: Rules) -> None:
    """A `UsageError` for the first result that is silent of code of the user's which the pipeline file lets run.

    Who leaves it out would have numbers believed that this code may have written.
    """
    if rules.file is None:
        return
    runs, judges = named(rules.file), [f"{role} {name}" for role, name in functions(rules.file)]
    for report, name in zip(reports, names, strict=True):
        for leg in (leg for target in report.targets for leg in target.legs if leg.ran):
            if silent := [each for each in runs if each not in leg.user_code]:
                raise UsageError(
                    f"{name}: {leg.id} does not say that {', '.join(silent)} ran, which {rules.name} names. Run that leg again."
                )
        known = report.data.code if report.data else {}
        if _judged(report) and (silent := [each for each in judges if each not in known]):
            raise UsageError(f"{name}: does not say what code {', '.join(silent)} was, which {rules.name} names. Run it again.")


def _unpinned(report: Report, source: Loaded) -> Iterator[str]:
    data = report.data or Data()
    for pin in pins(source):
        each = data.sets.get(pin.what)
        if each is not None:
            yield from filter(None, [mismatch(pin, each.source, each.sha256)])
        elif pin.what == EVALUATION and _judged(report):
            yield f"it does not say what {pin.what} was, and {pin.by} pins {' or '.join(pin.allowed)}. Run it again."
    yield from code_problems(source, data.code)
