"""What a worker is asked and what it may answer: one JSON line each way, checked on both sides.

Arrays never travel here; they are files whose path does.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from gatekeeper.records.scores import Kind

MAX_ANSWER_BYTES = 16 << 20


class Request(msgspec.Struct, frozen=True, kw_only=True, tag_field="op", forbid_unknown_fields=True):
    """Base of what a worker is asked."""


class Text(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker must know of a text model: whose tokenizer to use, and what its ids mean."""

    model: str
    framework: str  # reads the tokenizer of a model file
    vocabulary: int
    end: list[int] = []
    context: int = 0  # tokens it knows; 0: not said


class Prepare(Request, frozen=True, kw_only=True, tag="prepare"):
    """Read a dataset in the user's format, check it against the model, write it as plain arrays."""

    dataset: dict[str, Any]  # the `dataset` section
    path: str | None
    folder: str  # of the pipeline file; user code is imported from here
    labelled: bool
    inputs: list[dict[str, Any]]  # of the model: name, dtype, shape
    task: str | None
    destination: str
    text: Text | None = None


class Optimize(Request, frozen=True, kw_only=True, tag="optimize"):
    """Make one artifact."""

    framework: str
    technique: str
    source: str
    destination: str
    device: str
    vnni: bool
    calibration: str | None
    original: str | None = None
    config: str | None = None
    trusted: bool = False


class Predict(Request, frozen=True, kw_only=True, tag="predict"):
    """Run a model over a prepared dataset and write its judged output."""

    framework: str
    artifact: str
    dataset: str
    destination: str
    threads: int
    device: str
    batch_size: int
    output: str | None
    task: str | None
    text: Text | None = None


class Score(Request, frozen=True, kw_only=True, tag="score"):
    """Compare the predictions of a variant (or of the baseline with itself) with the baseline's."""

    dataset: str
    baseline: str
    variant: str
    metric: str | None
    task: str | None
    folder: str
    destination: str
    text: bool = False


class Open(Request, frozen=True, kw_only=True, tag="open"):
    """Import the framework and read the inputs to time; the model is not loaded yet."""

    framework: str
    artifact: str
    threads: int
    device: str
    inputs: str
    runtime: str = ""  # the module to import


class Load(Request, frozen=True, kw_only=True, tag="load"):
    """Load the model and run it a few times."""


class Block(Request, frozen=True, kw_only=True, tag="block"):
    """Time inferences for `duration_ns`, at least `least` of them, after dropping the first ones."""

    duration_ns: int
    least: int


class Saturate(Request, frozen=True, kw_only=True, tag="saturate"):
    """Run inferences from `callers` threads at once for `duration_ns`."""

    duration_ns: int
    callers: int


class Setup(Request, frozen=True, kw_only=True, tag="setup"):
    """Open a model for contract tests."""

    framework: str
    artifact: str
    threads: int
    device: str
    inputs: str  # .npz of feeds, arrays [feeds, batch, ...]
    tensors: list[dict[str, Any]]  # of the original: name, dtype, shape
    text: Text | None = None


class Observe(Request, frozen=True, kw_only=True, tag="observe"):
    """Do what one contract test asks of the model; the arrays it answers go to `destination` (.npz)."""

    check: str
    destination: str


class OwnTests(Request, frozen=True, kw_only=True, tag="own_tests"):
    """Run the user's pytest files; a line of JSON for each test goes to `destination`."""

    files: list[str]
    folder: str  # of the pipeline file; imports start there
    done: list[str]  # tests that ran already, by their pytest ids
    options: dict[str, str]  # of the plugin, without their dashes
    destination: str


class Reach(Request, frozen=True, kw_only=True):
    """Base of what asks a client: the server, and the same model in a session of the client's own to compare with."""

    url: str
    name: str
    framework: str
    artifact: str
    threads: int
    device: str
    inputs: str
    text: Text | None = None


class Exchange(Reach, frozen=True, kw_only=True, tag="exchange"):
    """Send examples over HTTP with a public client, as binary tensors and as JSON, and compare the answers exactly."""

    dataset: str | None  # a prepared folder; else only `inputs`
    batch: int
    most: int  # feeds of `inputs` at most
    json_s: float  # JSON of large tensors is slow: no more of it after so many seconds


class Converse(Reach, frozen=True, kw_only=True, tag="converse"):
    """Have texts written over HTTP, whole and as a stream, and compare them with what the session writes."""


class Traffic(Reach, frozen=True, kw_only=True, tag="traffic"):
    """Send requests from several callers at once for a while; the file `started` appears when the first is about to go."""

    callers: int
    seconds: float
    started: str


class Fuzz(Request, frozen=True, kw_only=True, tag="fuzz"):
    """Send a server requests that are made up, for a while."""

    url: str
    engine: Literal["openapi", "tensors"]
    good: dict[str, Any]  # a request that it answers
    description: dict[str, Any]  # OpenAPI
    seconds: float
    seed: int


class LoadTest(Request, frozen=True, kw_only=True, tag="load_test"):
    """One scenario of load: on a session in the worker, or over HTTP where `url` names a server."""

    scenario: Literal["single_stream", "server", "offline"]
    inputs: str  # .npz of feeds, arrays of shape [feeds, batch, ...]
    examples: int  # how many of them
    target_qps: float
    duration_s: float
    destination: str  # .npz of the requests
    folder: str  # of the load generator's logs
    least_requests: int = 1
    most_requests: int = 0  # 0: as many as the duration asks for
    outstanding: int = 1024  # requests on their way at once
    request_timeout_ms: float = 30_000.0
    seed: int = 0
    url: str = ""
    name: str = ""  # of the model at the server
    framework: str = ""
    artifact: str = ""
    threads: int = 1
    device: str = "cpu"
    callers: int = 1
    text: bool = False
    new_tokens: int = 8
    prompts: list[str] = []  # of a text model over HTTP


AnyRequest = (
    Prepare | Optimize | Predict | Score | Open | Load | Block | Saturate
    | Setup | Observe | LoadTest | OwnTests | Exchange | Converse | Traffic | Fuzz
)  # fmt: skip


class Answer(msgspec.Struct, frozen=True, kw_only=True, tag_field="answer", forbid_unknown_fields=True):
    """Base of what a worker answers."""


class Done(Answer, frozen=True, kw_only=True, tag="done"):
    """It worked; the result is in the files asked for."""


class Prepared(Answer, frozen=True, kw_only=True, tag="prepared"):
    """The dataset was written."""

    examples: int
    labelled: bool


class Predicted(Answer, frozen=True, kw_only=True, tag="predicted"):
    """Predictions were written."""

    output: str
    examples: int


class Scored(Answer, frozen=True, kw_only=True, tag="scored"):
    """Paired scores were written; `error` says why the baseline cannot be judged against."""

    metric: str
    baseline: float | None
    variant: float | None
    agreement: bool
    kind: Kind
    examples: int
    power: float
    low: float
    high: float
    error: str | None
    details: dict[str, float] = {}


class Loaded(Answer, frozen=True, kw_only=True, tag="loaded"):
    """The model is ready. `overhead_ns` is what the timing of one inference adds to it; `clock_ns` the worker's time."""

    load_ns: int
    overhead_ns: int = 0
    clock_ns: int
    ran_on: str = ""


class Timed(Answer, frozen=True, kw_only=True, tag="timed"):
    """Latencies of one block, in order; of text models, times between tokens, and times to each first token.

    Context switches are those of the whole process during the block, None where the system does not tell.
    """

    latencies_ns: list[int]
    cpu_ns: int
    wall_ns: int
    first_tokens_ns: list[int] = []
    yielded: int | None = None
    preempted: int | None = None


class Saturated(Answer, frozen=True, kw_only=True, tag="saturated"):
    """How many inferences ended in how long; 0 where the framework takes one caller at a time."""

    inferences: int
    wall_ns: int
    clock_ns: int


class Ready(Answer, frozen=True, kw_only=True, tag="ready"):
    """The model was opened and has answered once."""

    load_ns: int
    run_ns: int


class Trial(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One call of a model: the names and element types of what it answered, in order, or why it did not."""

    label: str
    error: str = ""
    outputs: list[tuple[str, str]] = []


class Observed(Answer, frozen=True, kw_only=True, tag="observed"):
    """What a model did in one contract test; `skip` says why the test does not apply to it."""

    trials: list[Trial] = []
    numbers: dict[str, float] = {}
    skip: str = ""


class Exchanged(Answer, frozen=True, kw_only=True, tag="exchanged"):
    """How many requests were answered as the session answers; `wrong` says what the first that was not is."""

    binary: int = 0
    json: int = 0
    unsaid: int = 0  # answers with NaN or infinity, which JSON cannot say
    asked: int = 0  # requests there are
    wrong: str = ""


class Sent(msgspec.Struct, frozen=True, array_like=True):
    """One request of the traffic. Times are of the monotonic clock, which all processes of a machine share."""

    began_ns: int
    ended_ns: int
    outcome: Literal["right", "wrong", "refused", "failed", "lost", "unreached"]
    said: str = ""


class Trafficked(Answer, frozen=True, kw_only=True, tag="trafficked"):
    """What became of each request."""

    sent: list[Sent]


class Fuzzed(Answer, frozen=True, kw_only=True, tag="fuzzed"):
    """How many requests there were, and what went wrong, each kind once."""

    cases: int
    failures: list[str] = []


class LoadTested(Answer, frozen=True, kw_only=True, tag="load_tested"):
    """The requests of a scenario were written."""

    requests: int
    answered: int
    unsent: int = 0


class Failed(Answer, frozen=True, kw_only=True, tag="failed"):
    """It did not work; `kind` as in `NotMeasured`."""

    kind: str
    message: str


AnyAnswer = (
    Done
    | Prepared
    | Predicted
    | Scored
    | Loaded
    | Timed
    | Saturated
    | Ready
    | LoadTested
    | Observed
    | Exchanged
    | Trafficked
    | Fuzzed
    | Failed
)
