"""The public report (`report.json`, schema gatekeeper/report/v1): everything a run found."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta

from gatekeeper.ids import leg_of
from gatekeeper.records.base import Amount, Count, Record, Verdict
from gatekeeper.records.compliance import AnnexItem, ChecklistItem, Compliance
from gatekeeper.records.data import Data
from gatekeeper.records.gates import GateResult
from gatekeeper.records.measured import Artifact, Conditions, Control, Energy, Environment, Performance, Quality, RoundData
from gatekeeper.records.rollout import Production, Rehearsal
from gatekeeper.records.scanned import ModelScan
from gatekeeper.records.tested import Tested
from gatekeeper.records.watched import Watching

REPORT_SCHEMA: Literal["gatekeeper/report/v1"] = "gatekeeper/report/v1"


class VariantReport(Record, frozen=True, kw_only=True):
    """One optimized artifact and what is known of it."""

    id: str
    framework: str
    technique: str
    verdict: Verdict
    reason: str = ""
    artifact: Artifact | None = None
    performance: Performance | None = None
    quality: Quality | None = None
    gates: list[GateResult] = []
    pareto: Annotated[
        bool | None,
        Meta(description="Whether no other variant of its target is better in speed, memory or quality and as good in the rest."),
    ] = None
    tested: Annotated[Tested | None, Meta(description="What the testing stage found; None: it did not come to test it.")] = None
    also: Annotated[dict[str, Quality], Meta(description="What it is on the other evaluation sets, by their names.")] = {}
    given: Annotated[str, Meta(description="The file of a variant that the user optimized; empty where it was made here.")] = ""
    applied: Annotated[
        str, Meta(description="The technique that was applied, where options give the variant a name of its own.")
    ] = ""
    options: Annotated[dict[str, Any], Meta(description="With which options, defaults included; empty of a bare name.")] = {}
    scan: Annotated[
        ModelScan | None, Meta(description="What `security_scan` found in what was made here; None where nothing was looked at.")
    ] = None


class Basis(Record, frozen=True, kw_only=True):
    """What the verdicts of a leg rest on, and what nobody judged."""

    metric: Annotated[str, Meta(description="Of the accuracy gate; `agreement` where there are no labels.")] = ""
    output: Annotated[str, Meta(description="The output that the metric reads; empty of a text.")] = ""
    outputs: Annotated[list[str], Meta(description="Those that the gate `outputs` judges.")] = []
    examples: Annotated[Count, Meta(description="Distinct ones: each counts once.")] = 0
    copies: Annotated[Count, Meta(description="Examples beyond them, each the same as one of them.")] = 0
    classes: Annotated[Count, Meta(description="That the gate `worst_class` looks at one by one.")] = 0
    groups: Annotated[Count, Meta(description="Of `dataset.slices`, looked at like classes.")] = 0
    parts: Annotated[
        Count, Meta(description="Of the answers, looked at like classes: what is answered, where, in examples of which size.")
    ] = 0
    timed: Annotated[Count, Meta(description="Inputs that were timed.")] = 0
    not_judged: Annotated[dict[str, str], Meta(description="What a user may expect to be judged, and why it is not.")] = {}


class LegReport(Record, frozen=True, kw_only=True):
    """One matrix job: target x framework, measured together on one machine."""

    id: str
    framework: str
    environment: Environment | None = None
    error: Annotated[str, Meta(description="Why the whole leg could not be measured; empty if it was.")] = ""
    skip: Annotated[str, Meta(description="Why the framework cannot take this model to this hardware, anywhere.")] = ""
    conversion: Annotated[
        str, Meta(description="How the baseline answers beside the model's reference; empty where it is the reference.")
    ] = ""
    device: Annotated[
        str, Meta(description="What sessions were opened on, with a hint if one was asked for: cpu:throughput.")
    ] = ""
    untimed: Annotated[str, Meta(description="Why times measured here say nothing of the hardware; empty if they do.")] = ""
    baseline: Performance | None = None
    quality: Quality | None = None
    control: Control | None = None
    control_rounds: Annotated[
        list[RoundData], Meta(description="The baseline's second copy, round by round; empty in reports of earlier versions.")
    ] = []
    rounds: Count = 0
    max_rounds: Count = 0
    attempt: Annotated[
        int, Meta(ge=1, le=10**9, description="Attempt at this commit; all attempts together share one error budget.")
    ] = 1
    spending: Annotated[
        Literal["", "proportional"],
        Meta(
            description="How looks share the error budget: in proportion to the rounds; empty: equally, as in earlier versions."
        ),
    ] = ""
    seed: int = 0
    measuring_s: Amount = 0.0
    budget_s: Annotated[float, Meta(description="Seconds the pipeline file allows for measuring; 0: not measured.")] = 0.0
    stopped: Annotated[
        Literal["", "decided", "rounds", "budget"], Meta(description="What ended measuring: a verdict, or what ran out.")
    ] = ""
    conditions: Conditions | None = None
    basis: Annotated[Basis | None, Meta(description="None: an earlier version measured, or nothing was judged.")] = None
    also: Annotated[
        dict[str, Basis], Meta(description="What verdicts on the other evaluation sets rest on, by their names.")
    ] = {}
    energy: Energy | None = None
    total_s: Amount = 0.0
    tested: Annotated[Tested | None, Meta(description="What the testing stage found of the baseline.")] = None
    user_code: Annotated[
        list[str], Meta(description="What ran of the user's: loader, metric, decode, own tests, scripts, plugins.")
    ] = []
    unheld: Annotated[
        str, Meta(description="Why nothing kept that code from the rest of the run; empty where something did, or none ran.")
    ] = ""
    held: Annotated[
        str,
        Meta(description="What kept that code from the rest of the run, as `namespaces`; empty: nothing did, or none ran."),
    ] = ""
    notes: list[str] = []

    @property
    def ran(self) -> bool:
        """Whether anything of it did, and so whether it must say what code ran in it."""
        return not (self.error or self.skip) or self.rounds > 0 or self.quality is not None


class Agreement(Record, frozen=True, kw_only=True):
    """Cross-validation: how far the models of one target answer alike, baselines among them."""

    kind: Annotated[
        Literal["same class", "same top token", "relative distance"],
        Meta(description="What `matrix` holds: a share of examples, or ||a - b|| / ||baseline||."),
    ]
    names: Annotated[list[str], Meta(description="Rows and columns of `matrix`.")]
    matrix: list[list[float]]
    examples: Annotated[Count, Meta(description="Examples compared; of text, tokens.")]
    alone: Annotated[
        list[float], Meta(description="Share of examples on which a model differs while all others agree; empty below four.")
    ] = []
    findings: Annotated[list[str], Meta(description="Models to look at.")] = []
    notes: Annotated[list[str], Meta(description="What could not be compared.")] = []


class TargetReport(Record, frozen=True, kw_only=True):
    """One kind of hardware the model must run on."""

    name: str
    verdict: Verdict
    selected: str | None
    environment: Environment | None
    variants: list[VariantReport]
    hardware: str = ""
    reason: str = ""
    require: Literal["best", "all"] = "best"
    legs: list[LegReport] = []
    agreement: Agreement | None = None
    notes: list[str] = []

    def leg_of(self, variant: VariantReport) -> LegReport | None:
        """The leg that a variant was made and measured in."""
        name = leg_of(variant.id)
        return next((leg for leg in self.legs if leg.id == name), None)


class StageReport(Record, frozen=True, kw_only=True):
    """One stage of the pipeline file."""

    stage: str
    verdict: Verdict
    reason: str = ""
    where: str = ""
    blocks: Annotated[bool, Meta(description="Whether the stages after it were not run because of its verdict.")] = True
    blocked_by: Annotated[str, Meta(description="The stage whose verdict kept it from running; empty if it ran.")] = ""
    deferred: Annotated[
        list[str], Meta(description="Targets of which not every leg is here: comparing them is left to the merged report.")
    ] = []
    scans: Annotated[list[ModelScan], Meta(description="What `security_scan` found, model by model; empty where it is off.")] = []
    compliance: Annotated[
        Compliance | None, Meta(description="What the stage `compliance` judged; None of every other stage.")
    ] = None
    rehearsals: Annotated[
        list[Rehearsal], Meta(description="Rollouts that `staging_deployment` rehearsed, with all that they were judged on.")
    ] = []
    production: Annotated[
        list[Production], Meta(description="What `production_deployment` did, variant by variant; empty of every other stage.")
    ] = []
    watched: Annotated[
        list[Watching], Meta(description="Alerts that `monitoring` raised by faults, and on identical data did not.")
    ] = []


class ModelInfo(Record, frozen=True, kw_only=True):
    """The model under test."""

    path: str
    sha256: str
    bytes: Count = 0
    format: str = ""
    architecture: str = ""
    parameters: Count = 0
    files: Annotated[
        dict[str, str],
        Meta(description="SHA-256 of each file of a model of several, by name; empty: it is one, or unknown."),
    ] = {}


class PipelineInfo(Record, frozen=True, kw_only=True):
    """The pipeline file the verdict belongs to."""

    path: str
    sha256: str
    legs: Annotated[list[str], Meta(description="Every leg the file asks for; a merge holds reports against it.")] = []
    on_inconclusive: Literal["fail", "warn"] = "fail"
    cross_validation: Annotated[str, Meta(description="file:line that asks for it; empty if it is disabled.")] = ""
    performance_comparison: Annotated[str, Meta(description="file:line that requires it; empty if nothing does.")] = ""
    policy: Annotated[str, Meta(description="Git ref and commit whose limits were applied; empty: the file's own.")] = ""
    policy_sha256: Annotated[str, Meta(description="Of the pipeline file at that ref.")] = ""
    loosened: Annotated[list[str], Meta(description="Limits the file loosens against its policy, not applied, in words.")] = []
    under: Annotated[str, Meta(description="Folder of the repository that paths are seen from; empty: its root, or none.")] = ""


class Base(Record, frozen=True, kw_only=True):
    """The report of the base branch that this one was compared with."""

    verdict: Verdict
    commit: str = ""
    created: str = ""
    same_model: Annotated[bool, Meta(description="Whether both measured the same model file.")] = False
    gone: Annotated[list[str], Meta(description="Variants it had, and this report has not.")] = []
    new: Annotated[list[str], Meta(description="Variants that it had not.")] = []
    loosened: Annotated[list[str], Meta(description="Limits that were stricter there, in words.")] = []
    changed: Annotated[bool, Meta(description="Whether anything differs by more than noise.")] = True


class Note(Record, frozen=True, kw_only=True):
    """One of a report's notes that speaks of what may change without measuring: the next of its kind take its place."""

    kind: Annotated[
        Literal["waiver", "base", "plan"], Meta(description="Waivers, the base branch's report, or what the plan leaves out.")
    ]
    text: Annotated[str, Meta(description="As it stands in `notes`.")]


class Report(Record, frozen=True, kw_only=True):
    """Everything a run found; renderers are pure functions of it."""

    schema: Literal["gatekeeper/report/v1"]
    verdict: Verdict
    model: ModelInfo
    pipeline: PipelineInfo
    targets: list[TargetReport]
    stages: list[StageReport] = []
    notes: list[str] = []
    remarks: Annotated[
        list[Note] | None, Meta(description="What some of `notes` speak of; None: written before they were told apart.")
    ] = None
    reproduce: Annotated[str, Meta(description="The command that measures this again.")] = ""
    created: Annotated[str, Meta(description="UTC time, ISO 8601.")] = ""
    version: Annotated[str, Meta(description="Version of gatekeeper that measured.")] = ""
    commit: Annotated[str, Meta(description="Commit that was measured; empty outside of GitHub Actions.")] = ""
    data: Annotated[
        Data | None, Meta(description="The sets and the code it was judged by, by content. None: an earlier version measured.")
    ] = None
    base: Annotated[Base | None, Meta(description="The report of the base branch, where one was given.")] = None
    evidence: Annotated[
        list[AnnexItem],
        Meta(description="Annex IV of the EU AI Act, point by point; empty without the stage `compliance`. It judges nothing."),
    ] = []
    checklist: Annotated[
        list[ChecklistItem],
        Meta(description="Before, during and after a deployment; empty where none is asked for. It judges nothing."),
    ] = []
