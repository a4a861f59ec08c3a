"""Whether a rollout that somebody else carries out may go on: the judge of `gatekeeper deploy`, on what Prometheus has of both.

It asks again for every sample since the rollout began and judges from the first, each time: nothing of the evidence is kept but
when which share was asked about, so that one who is ended and started again says the same. What spoke against a new model is
seen again, and that it must go back is not taken back. That a share was passed holds as long as somebody goes on asking.
"""

from __future__ import annotations

import math
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from gatekeeper.errors import UsageError
from gatekeeper.files import open_itself, write_atomic
from gatekeeper.monitor.problems import Unread
from gatekeeper.monitor.signals._shares import above, steps_of
from gatekeeper.monitor.sources import prometheus
from gatekeeper.monitor.sources._base import Asked
from gatekeeper.monitor.window import LATENCY, REQUESTS, SHADOWED, STALE_S, STEPS, Series, Window, window_of
from gatekeeper.records import rollout
from gatekeeper.records.base import Record
from gatekeeper.records.rollout import Decision, RolloutLimits, Ruling, Seen
from gatekeeper.stats.rollout import Judge, clean_stretches

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FAMILIES = (REQUESTS, LATENCY, SHADOWED)
GAP_S = 180.0
"""Who asks less often than that has stopped in between: what was seen meanwhile may be of any share."""
FORM = 1
MOST_BYTES, MOST_KEPT, MOST_ASKED = 16 << 20, 200, 500
"""Of the file; rollouts in it, of which the ones that were asked about last stay; and stretches of one rollout."""
VERDICT_SCHEMA: Literal["gatekeeper/verdict/v1"] = "gatekeeper/verdict/v1"
ARGO, FLAGGER = "rollouts_pod_template_hash", "pod"
"""The labels that tell both apart where the file names none."""
GOOD = ("2", "3")
"""How statuses of good answers begin, as the deploy on a host has it (gatekeeper/deploy/watching.py)."""
UNTIMED, UNTIMED_SHARE = 10, 0.5
"""How many requests may lack a time: so many and, of those that may be slow, this part. A counter is scraped before another."""


Colours = Mapping[bool, Mapping[str, Sequence[Series]]]
"""Whether it is green's -> family -> its series."""


class Asking(msgspec.Struct, forbid_unknown_fields=True):
    """A stretch of time in which somebody asked about a share, without a gap."""

    share: int
    since: float
    until: float


class Known(msgspec.Struct, forbid_unknown_fields=True):
    """One rollout: what was asked, which shares were passed, how often more traffic was granted, and why it was rolled back."""

    asked: list[Asking] = []
    passed: list[int] = []
    granted: int = 0
    over: str = ""


class _File(msgspec.Struct, forbid_unknown_fields=True):
    form: int = FORM
    rollouts: dict[str, Known] = {}


class Verdict(Record, frozen=True, kw_only=True):
    """What is answered. `step` is green's share in percent."""

    schema: Literal["gatekeeper/verdict/v1"] = VERDICT_SCHEMA
    decision: Decision
    reason: str
    metric: str = ""
    model: str = ""
    green: str = ""
    step: int | None = None
    requests: dict[str, int] = {}


@dataclass
class Rollouts:
    """All rollouts of one pipeline file. `shares` are those of its strategy, `path` is where they are kept."""

    address: str
    selector: Mapping[str, str]
    shares: Sequence[int]
    limits: RolloutLimits
    label: str | None
    path: Path
    clock: Callable[[], float] = time.time
    lock: threading.Lock = field(default_factory=threading.Lock)

    def about(self, model: str, green: str, step: int) -> Verdict:
        """Whether the new model `green` may have more than the share `step`: what Argo asks."""
        with self.lock:
            kept = self._read()
            known = kept.rollouts.setdefault(f"{model}/{green}", Known())
            _begin_anew(known, step, self.clock())
            found = self._judged(known, model, green, step, self.label or ARGO, lambda value: value == green)
            self._keep(kept)
            return found

    def granted(self, model: str, checksum: str, of: str) -> Verdict:
        """Whether it may have more traffic (`traffic`), or all (`promotion`), or must go back (empty): what Flagger asks, which
        does not say how much it has. Its first share needs no evidence: there is none before it has one.
        """
        with self.lock:
            kept = self._read()
            known = kept.rollouts.setdefault(f"{model}/{checksum}", Known())
            _begin_anew(known, self._share(known), self.clock())
            if of == "traffic" and not known.granted and not known.over:
                known.granted = 1
                self._keep(kept)
                return _said(Decision.PROMOTE, "nothing is known of it yet: it may have its first share", model, checksum, 0)
            if not known.granted and not known.over:
                why = "it has no share of the traffic yet, and without one nothing can be compared: use traffic_ramping: gradual"
                return _said(Decision.HOLD, why, model, checksum, 0)
            share = self._share(known)
            found = self._judged(known, model, checksum, share, self.label or FLAGGER, lambda value: _newer(model, value))
            if found.decision is Decision.PROMOTE:
                if of == "promotion" and known.granted < len(self.shares):
                    found = _said(Decision.HOLD, f"it has {share} %, and there are further steps", model, checksum, share)
                elif of == "traffic":
                    known.granted = min(known.granted + 1, len(self.shares))
            self._keep(kept)
            return found

    def _share(self, known: Known) -> int:
        """The share that Flagger was granted last, or the first."""
        return self.shares[max(0, known.granted - 1)]

    def _judged(self, known: Known, model: str, green: str, step: int, label: str, own: Callable[[str], bool | None]) -> Verdict:
        """Judge all there is of it by now. Also a share that was passed is judged again: who sees nothing promotes nobody."""
        if known.over:
            return _said(Decision.ROLLBACK, known.over, model, green, step)
        if step not in self.shares:
            steps = ", ".join(map(str, self.shares))
            why = f"{step} % is no step of the pipeline file's deployment ({steps} %): there green cannot be compared with blue"
            return _said(Decision.HOLD, why, model, green, step)
        if len(known.asked) >= MOST_ASKED:
            return _said(Decision.HOLD, "it was asked about too often, with pauses: nothing can be concluded", model, green, step)
        try:
            now = prometheus.clock(Asked(self.address, self.clock(), 0.0))
            _extend(known, step, now)
            began = known.asked[0].since
            colours = self._colours(now, now - began, label, own)
            windows = list(self._windows(known, now, colours))
            untimed = self._untimed(colours, began, now)
        except Unread as error:
            return _said(Decision.HOLD, f"nothing can be read: {error}", model, green, step)
        judge, ruling = Judge(self.limits, len(self.shares)), Ruling(decision=Decision.HOLD, reason=self._lacking())
        for window in windows:
            ruling = judge.see(window)
            if ruling.decision is Decision.PROMOTE and not untimed:
                known.passed = sorted({*known.passed, self.shares[window.step]})
            if judge.over:
                break
        here = [each for each in windows if each.step == self.shares.index(step)]
        counts = {"green": sum(each.green.requests for each in here), "blue": sum(each.blue.requests for each in here)}
        if ruling.decision is Decision.ROLLBACK:
            known.over = f"{ruling.metric}: {ruling.reason}" if ruling.metric else ruling.reason
        elif untimed:
            ruling = Ruling(decision=Decision.HOLD, reason=untimed)
        elif step in known.passed:
            ruling = Ruling(decision=Decision.PROMOTE, reason=f"every metric is shown to be within its limit at {step} %")
        elif ruling.decision is Decision.PROMOTE:
            ruling = Ruling(decision=Decision.HOLD, reason=f"{step} % comes after steps that were not passed")
        found = _said(ruling.decision, ruling.reason, model, green, step, counts)
        return msgspec.structs.replace(found, metric=ruling.metric)

    def _lacking(self) -> str:
        needed = clean_stretches(self.limits.alpha, min(self.limits.error_rate, self.limits.slow_rate))
        return f"nothing is seen of both yet; a step takes {needed} stretches of {self.limits.burst_s:g} s with requests of both"

    def _colours(self, now: float, seconds: float, label: str, own: Callable[[str], bool | None]) -> Colours:
        """The series of both, by whether they are green's."""
        asked = Asked(self.address, now, seconds + self.limits.burst_s, self.selector)
        series = {name: prometheus.samples(asked, name, now) for name in FAMILIES}
        return {green: {name: _of(every, label, own, green) for name, every in series.items()} for green in (True, False)}

    def _windows(self, known: Known, now: float, colours: Colours) -> Iterator[rollout.Window]:
        """What was seen, stretch by stretch, of each time that a share was asked about."""
        began = known.asked[0].since
        newest = [_newest(each[REQUESTS]) for each in colours.values()]
        if None in newest:
            return
        end = min(each for each in newest if each is not None)
        if now - end > STALE_S:
            raise Unread("stale", f"the newest sample of one of both is {now - end:,.0f} s old. Look at `up` in Prometheus.")
        before = None
        for each in known.asked:
            if each.share not in self.shares:
                continue
            step = self.shares.index(each.share)
            if before is not None and before.share == each.share:
                why = f"nobody asked for {each.since - before.until:.0f} s, and which share it had is not known"
                yield rollout.Window(step=step, seconds=round(each.since - began, 3), problem=why)
            yield from self._stretches(colours, each, min(end, each.until), began, step)
            before = each

    def _stretches(self, colours: Colours, asking: Asking, end: float, began: float, step: int) -> Iterator[rollout.Window]:
        """A window for each whole stretch. A counter's first value in it counts from the one before."""
        long, since = self.limits.burst_s, asking.since
        while since + long <= end:
            last = since + STEPS * long
            green, blue = (self._counts(window_of(colours[colour], since, last, {})) for colour in (True, False))
            whole = min(STEPS, int((end - since) / long))
            for i in range(whole):
                pairs, differ = int(green[3][i]), int(green[4][i])
                yield rollout.Window(
                    step=step,
                    seconds=round(since - began + (i + 1) * long, 3),
                    green=_seen(green, i),
                    blue=_seen(blue, i),
                    asked=rollout.Asked(pairs=pairs, differ=differ) if self.limits.disagreement is not None else rollout.Asked(),
                )
            since = last

    def _counts(self, window: Window) -> tuple[NDArray[np.float64], ...]:
        """Requests, those without a good answer, slow, shadowed, and those that differ, of shape [STEPS] each.

        What users ask wrongly, they ask both: a refusal (4xx) of what the other one answers is a failure like any.
        """
        good, every = steps_of(window, REQUESTS, "code", GOOD)
        slow, _ = above(window, LATENCY, (self.limits.slow_ms or 0.0) / 1e3)
        differ, shadowed = steps_of(window, SHADOWED, "agrees", "false")
        return tuple(each.round() for each in (every, every - good, slow, shadowed, differ))

    def _untimed(self, colours: Colours, start: float, end: float) -> str:
        """Why nobody knows which requests were slow, in words; empty where that is known. What is known speaks against a model
        all the same.
        """
        slow_s = (self.limits.slow_ms or 0.0) / 1e3
        for series in colours.values():
            window = window_of(series, start, end, {})
            _, every = steps_of(window, REQUESTS, "code", "")
            _, timed = above(window, LATENCY, slow_s)
            requests, lack = every.sum(), every.sum() - timed.sum()
            if lack > UNTIMED + UNTIMED_SHARE * self.limits.slow_rate * requests:
                return f"{LATENCY} has no time of {lack:,.0f} of {requests:,.0f} requests. Let it be scraped with them."
            ends = sorted({float(each) for each in window.by(LATENCY, "le")} - {math.inf})
            if timed.any() and not any(math.isclose(each, slow_s, rel_tol=1e-6) for each in ends):
                told = ", ".join(f"{each * 1e3:g}" for each in ends) or "none"
                return (
                    f"{LATENCY} has no bucket that ends at {slow_s * 1e3:g} ms, so that nobody knows which requests are slow. "
                    f"Set monitoring.judge.slow_ms to an end of one: {told}."
                )
        return ""

    def _read(self) -> _File:
        try:
            with open_itself(self.path) as file:
                found = msgspec.json.decode(file.read(MOST_BYTES), type=_File)
            if found.form != FORM:
                raise ValueError("another form")
        except FileNotFoundError:
            return _File()
        except (OSError, ValueError, msgspec.MsgspecError):
            raise UsageError(
                f"{self.path}: is no record of rollouts. Restore it, or remove it: they are then judged anew."
            ) from None
        return found

    def _keep(self, kept: _File) -> None:
        told = {name: each for name, each in kept.rollouts.items() if each.asked or each.granted or each.over}

        def weight(name: str) -> tuple[bool, float]:
            """What must go back is forgotten last, else it would have a second try."""
            return bool(told[name].over), max((each.until for each in told[name].asked), default=math.inf)

        kept.rollouts = {name: told[name] for name in sorted(told, key=weight)[-MOST_KEPT:]}
        write_atomic(self.path, msgspec.json.encode(kept))


def _seen(counts: Any, i: int) -> Seen:
    requests, errors, slow = (int(each[i]) for each in counts[:3])
    return Seen(requests=requests, errors=min(errors, requests), slow=min(max(slow, errors), requests))


def _begin_anew(known: Known, share: int, now: float) -> None:
    """A share that was passed, and that nobody asked about for a while, is of another rollout of the same revision: beside
    another model, with other requests. What was shown then says nothing of it.
    """
    if share in known.passed and known.asked and not now - known.asked[-1].until <= GAP_S:
        known.asked, known.passed, known.granted = [], [], 0


def _newer(model: str, value: str) -> bool | None:
    """Whether Flagger's label, of a pod or what it belongs to, is of the new model or the old one; None: of another model.

    A pod is called as what it belongs to, with one or two words more: `digits-large-...` are pods of another one.
    """
    own = re.escape(model)
    if re.fullmatch(f"{own}-primary(-[^-]+){{0,2}}", value):
        return False
    return True if re.fullmatch(f"{own}(-[^-]+){{0,2}}", value) else None


def _extend(known: Known, share: int, now: float) -> None:
    """It is asked now: on from the last time, or anew after a gap or another share."""
    last = known.asked[-1] if known.asked else None
    if last is not None and last.share == share and 0 <= now - last.until <= GAP_S:
        last.until = now
    else:
        known.asked = [*known.asked, Asking(share, now, now)]


def _of(every: Sequence[Series], label: str, own: Callable[[str], bool | None], green: bool) -> list[Series]:
    """Those of one colour; what lacks the label, or is another model's, is of neither."""
    return [each for each in every if (value := each.labels.get(label)) and own(value) is green]


def _newest(series: Sequence[Series]) -> float | None:
    return max((each.times[-1] for each in series if each.times), default=None)


def _said(decision: Decision, reason: str, model: str, green: str, step: int, requests: dict[str, int] | None = None) -> Verdict:
    return Verdict(decision=decision, reason=reason, model=model, green=green, step=step, requests=requests or {})


def rollouts_of(loaded: Any, path: Path) -> Rollouts | None:
    """What a pipeline file says of them; None where it names no `monitoring.judge`."""
    from gatekeeper.deploy.strategies._base import steps
    from gatekeeper.load.profile import profile
    from gatekeeper.units import parse_duration

    monitoring = loaded.pipeline.monitoring
    own = monitoring.judge if monitoring else None
    if own is None or not monitoring.prometheus:
        return None
    way, alert = loaded.pipeline.deployment, monitoring.alerts.latency_p99
    slow_ms = own.slow_ms or profile(loaded).p99_ms or getattr(alert, "max_ms", None)
    if slow_ms is None:
        where = _where(loaded, "monitoring", "judge")
        raise UsageError(f"{where}: says nowhere from when on an answer is slow. Name monitoring.judge.slow_ms.")
    limits = RolloutLimits(
        error_rate=own.error_rate,
        slow_rate=own.slow_rate,
        slow_ms=slow_ms,
        disagreement=own.disagreement,
        burst_s=parse_duration(own.stretch),
    )
    shares = [share for share in steps(way.strategy, way.traffic_ramping) if share]
    if not shares:
        said = f"deployment.strategy {way.strategy} has no share to be judged. Use canary or blue_green."
        raise UsageError(f"{_where(loaded, 'deployment', 'strategy')}: {said}")
    return Rollouts(monitoring.prometheus, monitoring.selector, shares, limits, own.label, path)


def _where(loaded: Any, *path: str) -> str:
    """`file:line` of a part of the pipeline file."""
    from gatekeeper.config.loaded import ROOT

    where: str = loaded.source.where((ROOT, *path))
    return where
