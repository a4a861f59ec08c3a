"""A leg's variants judged on what was measured of them."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec

from gatekeeper.config.limits import Limit
from gatekeeper.errors import NotMeasured
from gatekeeper.evaluate.compared import quality
from gatekeeper.files import check_own
from gatekeeper.ids import file_name, set_of
from gatekeeper.legs.candidates import Candidate
from gatekeeper.legs.leg import Leg
from gatekeeper.legs.measuring import Raced
from gatekeeper.making.optimize import Made
from gatekeeper.making.zipped import zipped_once
from gatekeeper.measure.race import Race, performance
from gatekeeper.process import memory
from gatekeeper.records.base import Verdict
from gatekeeper.records.evidence import Effort, Evidence
from gatekeeper.records.gates import GateResult
from gatekeeper.records.measured import Artifact
from gatekeeper.records.report import VariantReport
from gatekeeper.stats.closed import allowed
from gatekeeper.stats.looks import look_alpha
from gatekeeper.units import parse_duration
from gatekeeper.verdicts.gates import holds, judge_gate, unmeasured_gate
from gatekeeper.verdicts.judge import variant_reason, variant_verdict

ARTIFACTS = "artifacts"
"""Their folder, beside the report."""


@dataclass(frozen=True)
class Judge:
    """Judges the variants of one leg by the limits that rounds, scores and artifacts decide.

    `beside` are the variants that other legs of its target try. `sure` fills with those of this leg that pass whatever the others
    do, `failed` with those that need not be counted any more, and `unable` with those that cannot pass for want of data.
    """

    leg: Leg
    limits: list[Limit]
    attempt: int
    beside: int = 0
    sure: set[str] = field(default_factory=set)
    failed: set[str] = field(default_factory=set)
    unable: set[str] = field(default_factory=set)

    def rule_out(self, candidates: Sequence[Candidate]) -> None:
        """Note which fail before they are timed, by their answers or their size, and of which too little is known to pass."""
        before = [limit for limit in self.limits if limit.gate.BASIS != "rounds" and not getattr(limit.gate, "VETO", False)]
        for each in candidates:
            found = {g.verdict for g in self.gates(each, Race(), before) if g.blocking} if each.made else {Verdict.FAIL}
            if Verdict.FAIL in found:
                self.failed.add(each.planned.id)
            elif Verdict.ERROR in found:
                self.unable.add(each.planned.id)

    def decided(self, candidate: Candidate, raced: Race) -> bool:
        """A certain failure decides; otherwise every blocking gate on rounds must know its verdict.

        What cannot pass is measured until the first look: further rounds would tell more of it, and change nothing.
        Where one passing variant is enough, a pass must be good for one of as many as may be at a limit: more rounds tell.
        """
        on_rounds = [limit for limit in self.limits if limit.gate.BASIS == "rounds"]
        name, gates = candidate.planned.id, self._blocking(candidate, raced, on_rounds)
        if any(g.verdict is Verdict.FAIL for g in gates):
            self.failed.add(name)
            return True
        if name in self.unable:
            return True
        if not all(g.verdict is Verdict.PASS for g in gates):
            return all(g.verdict is not Verdict.INCONCLUSIVE or g.settled for g in gates)
        if self.leg.loaded.require == "all" or name in self.failed:
            return True
        strict = self._blocking(candidate, raced, on_rounds, allowed(self._others(name) + 1))
        if any(g.verdict is not Verdict.PASS for g in strict):
            return False
        self.sure.add(name)
        return True

    def _others(self, name: str) -> int:
        """Variants of the target that may be at a limit, beside one; those that pass whatever the others do need no counting."""
        own = {each.id for each in self.leg.planned.variants if not (each.skip or each.error)}
        return self.beside + len(own - self.failed - self.sure - {name})

    def _blocking(self, candidate: Candidate, raced: Race, limits: list[Limit], share: float = 1.0) -> list[GateResult]:
        return [gate for gate in self.gates(candidate, raced, limits, share) if gate.blocking]

    def gates(self, candidate: Candidate, raced: Race, limits: list[Limit], share: float = 1.0) -> list[GateResult]:
        """These gates on one variant, those on rounds at a share of their level."""
        assert candidate.made is not None
        baseline, variant, control = raced.paired(candidate.planned.id)
        leg = self.leg
        measure = leg.measure
        evidence = Evidence(
            artifact=self._artifact(candidate),
            baseline=baseline,
            variant=variant,
            control=control,
            alpha=look_alpha(len(variant), measure.max_rounds, self.attempt, share),
            effort=Effort(raced.round_s(), parse_duration(measure.budget), measure.max_rounds, leg.place.threads, self.attempt),
            untimed=leg.untimed or None,
            energy=raced.energy,
            name=candidate.planned.id,
        )
        sets = {name: candidate.on(name).comparison for name in {set_of(limit.name) for limit in limits}}
        return [judge_gate(limit, replace(evidence, comparison=sets[set_of(limit.name)])) for limit in limits]

    def _artifact(self, candidate: Candidate) -> Artifact:
        """With its size in a zip archive where a gate that is of it asks for that."""
        made, name = candidate.made, candidate.planned.id
        assert made is not None
        asked = any(getattr(limit.gate, "ZIPPED", False) and limit.config and holds(limit, name) for limit in self.limits)
        found = artifact(name, made)
        return msgspec.structs.replace(found, zipped_bytes=zipped_once(made.files, made.sha256)) if asked else found

    def report(self, candidate: Candidate, raced: Raced) -> VariantReport:
        """What is known of one variant."""
        planned, leg = candidate.planned, self.leg
        blank = VariantReport(
            id=planned.id,
            framework=leg.framework,
            technique=planned.technique,
            verdict=Verdict.ERROR,
            given=planned.path or "",
            applied=planned.applied,
            options=planned.options,
        )
        if planned.skip:
            return msgspec.structs.replace(blank, verdict=Verdict.SKIP, reason=planned.skip)
        failure = raced.race.failures.get(planned.id)
        error = candidate.error or raced.error or (str(failure) if failure else None)
        if error or not candidate.made:
            gates = [unmeasured_gate(limit, error or "not made") for limit in self.limits]
            return msgspec.structs.replace(blank, reason=error or "not made", gates=gates)
        gates = self.gates(candidate, raced.race, self.limits)
        verdict = variant_verdict(gates)
        if leg.untimed and verdict is Verdict.PASS:  # also where no gate asks for speed
            verdict = Verdict.SKIP
        return msgspec.structs.replace(
            blank,
            verdict=verdict,
            reason=variant_reason(gates, verdict) or (leg.untimed if verdict is Verdict.SKIP else ""),
            artifact=self._artifact(candidate),
            performance=performance(raced.race.paired(planned.id)[1], leg.evaluation.batch_size(), memory.METRIC),
            quality=quality(candidate.comparison, variant=True),
            also={name: own for name, each in candidate.also.items() if (own := quality(each.comparison, variant=True))},
            gates=gates,
            scan=candidate.scan,
        )


def artifact(variant: str, made: Made) -> Artifact:
    """Where the report says an artifact lies, relative to the report."""
    name, main = file_name(variant), made.files[0].name
    path = Path(ARTIFACTS) / (f"{name}{Path(main).suffix}" if len(made.files) == 1 else name)
    return Artifact(path=path.as_posix(), sha256=made.sha256, bytes=made.bytes)


def keep(made: Made, place: Path) -> None:
    """Put an artifact beside the report, where people look for it; whole, or not at all."""
    whole = place.with_name(f".{place.name}")
    check_own(place.parent)
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        _free(whole)
        if len(made.files) == 1:
            shutil.copyfile(made.files[0], whole)
        else:
            whole.mkdir(exist_ok=True)
            for file in made.files:
                shutil.copyfile(file, whole / file.name)
        whole.replace(place)
    except OSError as error:
        _free(whole)
        raise NotMeasured("disk", f"{place}: cannot be written: {error.strerror}. Free some space or use --output.") from None


def _free(place: Path) -> None:
    """Take away what lies at a place: of a link, the link."""
    if place.is_symlink() or place.is_file():
        place.unlink(missing_ok=True)
    shutil.rmtree(place, ignore_errors=True)
