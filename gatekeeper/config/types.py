"""The pipeline file as types: the one source of its schema, its reference and its validation.

Field docstrings (`Meta(description=...)`) are what users read in their editor and in docs/pipeline-reference.md.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from gatekeeper.config.section import (
    Count,
    Duration,
    FrameworkName,
    Function,
    HardwareName,
    Need,
    NonEmpty,
    Section,
    Share,
    Size,
    Switch,
    Threads,
)
from gatekeeper.gates._base import REGISTRY as GATES
from gatekeeper.gates._base import gate
from gatekeeper.stats.looks import MAX_ROUNDS

Stage = Literal["model_validation", "optimization", "testing", "staging_deployment", "production_deployment", "monitoring"]
Task = Literal[
    "image_classification",
    "tabular_classification",
    "text_classification",
    "regression",
    "embedding",
    "text_generation",
]


class Model(Section, frozen=True, kw_only=True):
    """The model under test. It may also be given on the command line with `--model`."""

    path: Annotated[
        str,
        Meta(min_length=1, description="Model, relative to this file: .onnx, .xml (OpenVINO), .gguf, or a Hugging Face folder."),
    ]
    task: Annotated[
        Task | None,
        Meta(description="What the model does; decides the default metric. Default: text_generation for .gguf and folders."),
    ] = None
    output: Annotated[
        str | None, Meta(description="Name of the output that is judged; default: the first that fits the task.")
    ] = None


class Image(Section, frozen=True, kw_only=True):
    """How image files become tensors."""

    resize: Annotated[
        Annotated[list[Count], Meta(min_length=2, max_length=2)] | None,
        Meta(description="[height, width] in pixels; default: the files' own size."),
    ] = None
    color: Annotated[Literal["rgb", "bgr", "gray"], Meta(description="Channels, in this order.")] = "rgb"
    layout: Annotated[Literal["nchw", "nhwc"], Meta(description="Order of the axes the model expects.")] = "nchw"
    scale: Annotated[float, Meta(gt=0, description="Pixels 0 to 255 are multiplied by this.")] = 1 / 255
    mean: Annotated[list[float], Meta(description="Subtracted after scaling, one value per channel.")] = []
    std: Annotated[
        list[Annotated[float, Meta(gt=0)]], Meta(description="Divided by after subtracting, one value per channel.")
    ] = []


class Dataset(Section, frozen=True, kw_only=True):
    """The representative test set, and the calibration set for static quantization."""

    path: Annotated[
        str | None,
        Meta(
            description="Evaluation set: .npz, .csv, or a folder of images (one subfolder a class, or labels.csv); for "
            "text_generation .txt, or .jsonl with `text`, or `prompt` and `answer`, on each line.",
        ),
    ] = None
    loader: Annotated[
        Function | None,
        Meta(description="`package.module:function` returning (inputs, labels); it is imported from this file's folder."),
    ] = None
    calibration: Annotated[
        str | None, Meta(description="Calibration set, same formats as `path`, without labels; never the evaluation set.")
    ] = None
    metric: Annotated[
        str | None,
        Meta(
            description="accuracy, top5_accuracy, macro_f1, mae, rmse, r2, cosine_similarity, perplexity, exact_match, or "
            "`package.module:function` of (outputs, labels), higher is better.",
        ),
    ] = None
    labels: Annotated[str | None, Meta(description="Key (.npz) or column (.csv) of the labels; default: y or labels.")] = None
    inputs: Annotated[dict[str, str], Meta(description="Model input name -> key in the .npz, where the names differ.")] = {}
    image: Annotated[Image | None, Meta(description="How image files become tensors.")] = None
    limit: Annotated[
        Count | None, Meta(description="Use only the first so many examples; of a text, so many windows (default 200).")
    ] = None
    window: Annotated[
        int, Meta(ge=16, le=8192, description="text_generation: tokens in one window, each read from an empty context.")
    ] = 128


def _gate_fields() -> list[tuple[str, Any, Any]]:
    """One field per file of gatekeeper/gates."""
    fields: list[tuple[str, Any, Any]] = []
    for name in GATES.names:
        module = gate(name)
        kind = Annotated[module.Config | Literal["disabled"] | None, Meta(description=module.DESCRIPTION)]  # type: ignore[name-defined]
        fields.append((name, kind, None))
    return fields


def _section(name: str, description: str, fields: list[tuple[str, Any, Any]]) -> type[msgspec.Struct]:
    """A section whose fields are only known when the folder has been listed."""
    return msgspec.defstruct(
        name,
        fields,
        bases=(Section,),
        namespace={"__doc__": description},
        module=__name__,
        frozen=True,
        kw_only=True,
        forbid_unknown_fields=True,
    )


TargetGates = _section("TargetGates", "Limits that differ on one target.", _gate_fields())
Gates = _section(
    "Gates",
    "The limits a variant must hold.",
    [
        *_gate_fields(),
        (
            "require",
            Annotated[
                Literal["best", "all"],
                Meta(description="`best`: each target needs one variant that passes every gate; `all`: every variant must."),
            ],
            "best",
        ),
        (
            "on_inconclusive",
            Annotated[
                Literal["fail", "warn"],
                Meta(description="What an undecided gate does to the exit code: 3 (`fail`) or 0 (`warn`)."),
            ],
            "fail",
        ),
    ],
)


class Target(Section, frozen=True, kw_only=True):
    """One kind of hardware the model must run on, and the runner that has it."""

    name: Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=64, description="Your name for it, unique.")]
    hardware: Annotated[HardwareName, Meta(description="Kind of hardware.")]
    runs_on: Annotated[
        NonEmpty | Annotated[list[NonEmpty], Meta(min_length=1)], Meta(description="GitHub runner label, or a list of labels.")
    ] = "ubuntu-latest"
    threads: Annotated[Threads | None, Meta(description="Threads of every model; default: the machine's physical cores.")] = None
    hint: Annotated[
        Literal["latency", "throughput"], Meta(description="What OpenVINO tunes a model for: one request, or many at once.")
    ] = "latency"
    fallback: Annotated[
        Literal["none", "cpu"],
        Meta(description="`cpu`: where the hardware is missing, run on the CPU and say so; `none`: that is an error."),
    ] = "none"
    frameworks: Annotated[
        list[FrameworkName], Meta(description="Frameworks for this target; default: those of `optimization`.")
    ] = []
    gates: Annotated[
        TargetGates | None,  # type: ignore[valid-type]
        Meta(description="Limits that differ on this target, same keys as `gates`."),
    ] = None


class ModelValidation(Section, frozen=True, kw_only=True):
    """What the original model must satisfy before anything is optimized."""

    accuracy_threshold: Annotated[
        Share | None,
        Meta(description="The same limit as `gates.accuracy.retention`; give one of them."),
    ] = None
    performance_baseline: Annotated[Need, Meta(description="`required`: a baseline that cannot be measured is an error.")] = (
        "required"
    )
    security_scan: Annotated[Switch, Meta(description="Scan the model file for hostile content.")] = "disabled"


class OptimizationValidation(Section, frozen=True, kw_only=True):
    """Checks across variants."""

    cross_validation: Annotated[
        Switch,
        Meta(
            description="Compare the answers of every variant and baseline of a target with one another, and point at the one "
            "that differs from all. What cannot be compared is an error; a difference is not."
        ),
    ] = "disabled"
    performance_comparison: Annotated[
        Need | None,
        Meta(description="`required`: a target of which fewer than two variants could be measured is an error."),
    ] = None


class Optimization(Section, frozen=True, kw_only=True):
    """Which frameworks optimize the model, and how."""

    frameworks: Annotated[tuple[FrameworkName, ...], Meta(min_length=1, description="Frameworks to try on every target.")] = (
        "onnx_runtime",
    )
    techniques: Annotated[
        dict[FrameworkName, Annotated[list[str], Meta(min_length=1)]],
        Meta(
            description="Techniques per framework; default: those that suit the target. For microsoft_olive also the name of "
            "an Olive configuration file (.json), relative to this file.",
        ),
    ] = {}
    trust_scripts: Annotated[
        bool, Meta(description="Let configuration files named in `techniques` run scripts of their own.")
    ] = False
    validation: Annotated[OptimizationValidation, Meta(description="Checks across variants.")] = OptimizationValidation()


class Load(Section, frozen=True, kw_only=True):
    """The load that `load_tests` puts on a variant. What is left out is found by measuring."""

    target_qps: Annotated[
        Annotated[float, Meta(gt=0, le=1e6)] | None,
        Meta(
            description="Requests per second that must be served; default: half of what the baseline answers when all requests "
            "are there at once, or less where it does not bear that.",
        ),
    ] = None
    p99_ms: Annotated[
        Annotated[float, Meta(gt=0, le=3.6e6)] | None,
        Meta(description="The same limit as `gates.p99_latency.max_ms`; give one of them."),
    ] = None
    duration: Annotated[
        Duration | None,
        Meta(
            description="Length of the server scenario, from 1s to 24h, from which the others follow; default: by the level. It "
            "goes on for longer where that is too few requests to judge a p99."
        ),
    ] = None
    scenarios: Annotated[
        tuple[Literal["single_stream", "server", "offline"], ...],
        Meta(
            min_length=1,
            description="MLPerf scenarios to run: one request at a time, requests at random times at the target's rate, all at "
            "once. `p99_latency` and `error_rate` are judged on `server`, `throughput` on `offline`.",
        ),
    ] = ("single_stream", "server", "offline")
    over: Annotated[
        Literal["http", "in_process"],
        Meta(
            description="Where requests go: to `gatekeeper serve` over HTTP, or to a session in the load generator's process. "
            "`endurance` is measured behind a server in both cases, `overload` only over HTTP."
        ),
    ] = "http"


class Soak(Section, frozen=True, kw_only=True):
    """A long run, for leaks and slow decay, at the target's rate or half of what the variant bears if that is less."""

    duration: Annotated[
        Duration,
        Meta(
            description="How long, from 8s to 24h. Without this section there is a long run at production_scale, and only there."
        ),
    ] = "60s"


class Testing(Section, frozen=True, kw_only=True):
    """How deep each kind of test goes; docs/testing.md explains every test.

    Each kind is judged by the gate of its name, `load_tests` by those on load. Unit tests run on every variant. The others take
    a server, and run on the variants that pass everything before: the best first, until one passes or, with `require: all`, on
    every one.
    """

    unit_tests: Annotated[
        Literal["off", "basic", "comprehensive"],
        Meta(
            description="Contract tests of every variant against the original. `basic`: opens, signature, dynamic_axes, "
            "batch_invariance, deterministic_runs, concurrent_callers, load_twice, odd_shapes, zeros, nan_and_inf; models that "
            "write text instead: opens, signature, deterministic_runs, load_twice, vocabulary, prompt_lengths, greedy, "
            "empty_prompt, unicode. `comprehensive`: also deterministic_processes, deterministic_threads, memory_given_back, and "
            "more_batches, largest_batch, empty_batch, odd_types, extremes, denormals or, of text, given_up, context_limit. "
            "Both: the files of `tests`."
        ),
    ] = "off"
    integration_tests: Annotated[
        Literal["off", "smoke", "full_pipeline"],
        Meta(
            description="The variant behind a server, asked by a public client. `smoke`: ready, metadata, answers (to some "
            "examples, equal to the session's bit for bit), bad_request, texts (of models that write them), stops. "
            "`full_pipeline`: answers to the whole evaluation set, and under traffic session_killed, server_killed and, instead "
            "of stops, drained; two_servers."
        ),
    ] = "off"
    load_tests: Annotated[
        Literal["off", "smoke", "production_scale"],
        Meta(
            description="Requests at a production rate, sent by MLPerf LoadGen to the baseline and then alike to the variant. "
            "`smoke`: the scenarios of `load`, briefly; judged by `p99_latency`, `error_rate`, and `throughput` where it has a "
            "limit. `production_scale`: the same for longer, and latency against load up to the highest rate within the latency "
            "limit, more requests than the server can take (`overload`), a long run (`endurance`). With `soak` there is a long "
            "run at both."
        ),
    ] = "off"
    security_tests: Annotated[
        Literal["off", "basic", "comprehensive"],
        Meta(
            description="Hostile requests to a server of the variant: no crash, no hang, no 5xx, memory bounded, and a good "
            "request is answered as before. `basic`: tensors, JSON, bodies, paths and HTTP itself that are wrong, that lie about "
            "their size, that are too large or too slow. `comprehensive`: also slow_people, deaf_people, long_texts, and the "
            "fuzzers fuzzed_openapi (schemathesis) and fuzzed_tensors (hypothesis)."
        ),
    ] = "off"
    tests: Annotated[
        list[NonEmpty],
        Meta(
            description="pytest files of your own, relative to this file: part of `unit_tests`. They get the fixtures `session` "
            "(the variant), `baseline`, `example_inputs` and `variant_id`."
        ),
    ] = []
    load: Annotated[Load, Meta(description="The load of `load_tests`.")] = Load()
    soak: Annotated[Soak | None, Meta(description="The long run of `load_tests`; `soak: {}` is one of the default length.")] = (
        None
    )


class Deployment(Section, frozen=True, kw_only=True):
    """How an approved model goes live."""

    strategy: Annotated[
        Literal["blue_green", "canary", "rolling", "recreate"], Meta(description="How the new model replaces the old one.")
    ] = "blue_green"
    traffic_ramping: Annotated[Literal["gradual", "immediate"], Meta(description="How fast traffic moves to the new model.")] = (
        "gradual"
    )
    rollback: Annotated[
        Literal["automatic", "manual"], Meta(description="Who goes back to the old model when error rates rise.")
    ] = "automatic"
    monitoring: Annotated[
        Literal["real_time", "periodic", "disabled"], Meta(description="How the deployed model is watched.")
    ] = "real_time"


class IosPackage(Section, frozen=True, kw_only=True):
    """Packaging for iOS."""

    format: Annotated[Literal["mlx", "coreml"], Meta(description="File format of the packaged model.")] = "mlx"
    bundle_size: Annotated[Size | None, Meta(description="Largest app bundle.")] = None


class Ios(Section, frozen=True, kw_only=True):
    """An iOS app."""

    framework: Annotated[FrameworkName, Meta(description="Framework the package is made with.")] = "apple_mlx"
    quantization: Annotated[Literal["int4", "int8", "fp16"], Meta(description="Technique the package is made with.")] = "int4"
    memory_mapping: Annotated[bool, Meta(description="Map the weights instead of reading them.")] = True
    background_execution: Annotated[
        Literal["limited", "full", "none"], Meta(description="What the app may run in the background.")
    ] = "limited"
    packaging: Annotated[IosPackage, Meta(description="The package.")] = IosPackage()


class AndroidPackage(Section, frozen=True, kw_only=True):
    """Packaging for Android."""

    format: Annotated[Literal["gguf", "onnx"], Meta(description="File format of the packaged model.")] = "gguf"
    apk_size: Annotated[Size | None, Meta(description="Largest apk.")] = None


class Android(Section, frozen=True, kw_only=True):
    """An Android app."""

    framework: Annotated[FrameworkName, Meta(description="Framework the package is made with.")] = "llama_cpp"
    quantization: Annotated[
        Literal["q4_0", "q4_k_m", "q5_k_m", "q6_k", "q8_0", "int8", "int4"],
        Meta(description="Technique the package is made with."),
    ] = "q4_k_m"
    threading: Annotated[Literal["android_optimized", "default"], Meta(description="Which cores the model runs on.")] = (
        "android_optimized"
    )
    memory_management: Annotated[
        Literal["conservative", "balanced"], Meta(description="How much memory the app may keep for the model.")
    ] = "conservative"
    packaging: Annotated[AndroidPackage, Meta(description="The package.")] = AndroidPackage()


class CrossPlatformPackage(Section, frozen=True, kw_only=True):
    """Packaging for several platforms at once."""

    format: Annotated[Literal["onnx"], Meta(description="File format of the packaged model.")] = "onnx"
    shared_libraries: Annotated[Literal["minimal", "full"], Meta(description="Which libraries go into the package.")] = "minimal"


class CrossPlatform(Section, frozen=True, kw_only=True):
    """One package for several platforms."""

    framework: Annotated[FrameworkName, Meta(description="Framework the package is made with.")] = "onnx_runtime"
    quantization: Annotated[Literal["int8", "int4", "fp16"], Meta(description="Technique the package is made with.")] = "int8"
    execution_provider: Annotated[
        Literal["cpu", "cuda", "coreml", "nnapi", "xnnpack"], Meta(description="ONNX Runtime provider on the device.")
    ] = "cpu"
    packaging: Annotated[CrossPlatformPackage, Meta(description="The package.")] = CrossPlatformPackage()


class MobileDeployment(Section, frozen=True, kw_only=True):
    """Packages for phones."""

    ios: Annotated[Ios | None, Meta(description="An iOS app.")] = None
    android: Annotated[Android | None, Meta(description="An Android app.")] = None
    cross_platform: Annotated[CrossPlatform | None, Meta(description="One package for several platforms.")] = None


class IntelOptimization(Section, frozen=True, kw_only=True):
    """Settings of an Intel edge server."""

    quantization: Annotated[Literal["int8", "int4", "fp16"], Meta(description="Technique the package is made with.")] = "int8"
    acceleration: Annotated[Literal["cpu_gpu_auto", "cpu", "gpu", "npu"], Meta(description="Device the model runs on.")] = (
        "cpu_gpu_auto"
    )
    batch_processing: Annotated[Literal["dynamic", "static", "none"], Meta(description="Whether requests are batched.")] = (
        "dynamic"
    )


class IntelDeployment(Section, frozen=True, kw_only=True):
    """Where an Intel edge server runs."""

    container: Annotated[Literal["openvino_runtime"], Meta(description="Image the server runs in.")] = "openvino_runtime"
    orchestration: Annotated[
        Literal["kubernetes", "compose", "none"], Meta(description="What starts and watches the containers.")
    ] = "kubernetes"
    scaling: Annotated[Literal["horizontal", "vertical", "none"], Meta(description="How more load is served.")] = "horizontal"


class IntelServer(Section, frozen=True, kw_only=True):
    """An Intel edge server."""

    framework: Annotated[FrameworkName, Meta(description="Framework the package is made with.")] = "openvino"
    optimization: Annotated[IntelOptimization, Meta(description="Settings of the optimized model.")] = IntelOptimization()
    deployment: Annotated[IntelDeployment, Meta(description="Where it runs.")] = IntelDeployment()


class NvidiaOptimization(Section, frozen=True, kw_only=True):
    """Settings of an NVIDIA edge server."""

    quantization: Annotated[Literal["int4", "int8", "fp16"], Meta(description="Technique the package is made with.")] = "int4"
    acceleration: Annotated[Literal["cuda", "tensorrt"], Meta(description="Device the model runs on.")] = "cuda"
    tensor_parallelism: Annotated[bool, Meta(description="Split the model over several GPUs.")] = True


class NvidiaDeployment(Section, frozen=True, kw_only=True):
    """Where an NVIDIA edge server runs."""

    container: Annotated[Literal["nvidia_triton"], Meta(description="Image the server runs in.")] = "nvidia_triton"
    orchestration: Annotated[
        Literal["kubernetes", "compose", "none"], Meta(description="What starts and watches the containers.")
    ] = "kubernetes"
    scaling: Annotated[Literal["gpu_aware", "horizontal", "none"], Meta(description="How more load is served.")] = "gpu_aware"


class NvidiaServer(Section, frozen=True, kw_only=True):
    """An NVIDIA edge server."""

    framework: Annotated[FrameworkName, Meta(description="Framework the package is made with.")] = "microsoft_olive"
    optimization: Annotated[NvidiaOptimization, Meta(description="Settings of the optimized model.")] = NvidiaOptimization()
    deployment: Annotated[NvidiaDeployment, Meta(description="Where it runs.")] = NvidiaDeployment()


class EdgeServer(Section, frozen=True, kw_only=True):
    """Packages for edge servers."""

    intel_based: Annotated[IntelServer | None, Meta(description="An Intel edge server.")] = None
    nvidia_based: Annotated[NvidiaServer | None, Meta(description="An NVIDIA edge server.")] = None


class Packaging(Section, frozen=True, kw_only=True):
    """What is built from an approved model."""

    mobile_deployment: Annotated[MobileDeployment | None, Meta(description="Packages for phones.")] = None
    edge_server: Annotated[EdgeServer | None, Meta(description="Packages for edge servers.")] = None


class Measure(Section, frozen=True, kw_only=True):
    """How long and how carefully to measure. The defaults decide a clear case in under half a minute."""

    budget: Annotated[Duration, Meta(description="Longest time to spend on rounds, per leg.")] = "10m"
    max_rounds: Annotated[int, Meta(ge=2, le=MAX_ROUNDS, description="Most rounds; a clear case stops at the first look.")] = 24
    block_ms: Annotated[float, Meta(gt=0, le=10_000, description="Length of one block of inferences.")] = 20.0
    blocks: Annotated[
        Annotated[int, Meta(ge=1, le=100)] | None,
        Meta(description="Blocks per arm in a round, in random order; default: 8, and 2 for text_generation."),
    ] = None
    prompt_tokens: Annotated[int, Meta(ge=1, le=131_072, description="text_generation: length of the timed prompts.")] = 64
    output_tokens: Annotated[
        int, Meta(ge=2, le=131_072, description="text_generation: tokens that are timed after each prompt.")
    ] = 32
    batch_size: Annotated[int, Meta(ge=1, le=4096, description="Examples per inference, where the model allows it.")] = 1
    threads: Annotated[
        Threads | None, Meta(description="Threads of every model on targets that name none; default: the machine's cores.")
    ] = None
    seed: Annotated[int, Meta(ge=0, description="Seed of the random order; it is in the report.")] = 0
    timeout: Annotated[Duration, Meta(description="Longest time one worker may take for one step.")] = "30m"
    memory_limit: Annotated[Size | None, Meta(description="Most memory one worker may take; default: 80 % of what is free.")] = (
        None
    )


class Pipeline(Section, frozen=True, kw_only=True):
    """The `edge_ai_pipeline` file: which model, on which hardware, optimized how, and the gates it must pass."""

    stages: Annotated[tuple[Stage, ...], Meta(min_length=1, description="Stages to run, in this order; each gates the next.")] = (
        "model_validation",
        "optimization",
    )
    model: Annotated[Model | None, Meta(description="The model under test.")] = None
    dataset: Annotated[Dataset | None, Meta(description="The representative test set.")] = None
    targets: Annotated[
        list[Target], Meta(description="Hardware it must run on; default: the CPU of the machine that runs it.")
    ] = []
    model_validation: Annotated[ModelValidation, Meta(description="Requirements on the original model.")] = ModelValidation()
    optimization: Annotated[Optimization, Meta(description="Frameworks and techniques.")] = Optimization()
    testing: Annotated[Testing, Meta(description="Depth of the testing stage.")] = Testing()
    deployment: Annotated[Deployment, Meta(description="How an approved model goes live.")] = Deployment()
    packaging: Annotated[Packaging | None, Meta(description="What is built from an approved model.")] = None
    gates: Annotated[Gates, Meta(description="The limits a variant must hold.")] = Gates()  # type: ignore[valid-type]
    measure: Annotated[Measure, Meta(description="How long and how carefully to measure.")] = Measure()


class Document(Section, frozen=True, kw_only=True):
    """The whole file."""

    edge_ai_pipeline: Annotated[Pipeline, Meta(description="The pipeline.")]
