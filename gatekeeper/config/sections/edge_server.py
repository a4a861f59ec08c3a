"""`packaging.edge_server`: packages for edge servers."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from gatekeeper.config.section import FrameworkName, Section
from gatekeeper.config.sections.resources import Replicas

Base = Annotated[
    str,
    Meta(description="The server's image to build on, by its digest: name@sha256:...; also `--base`. Without: no Containerfile."),
]


class IntelOptimization(Section, frozen=True, kw_only=True):
    """Settings of an Intel edge server."""

    quantization: Annotated[Literal["int8", "int4", "fp16"], Meta(description="Technique the package is made with.")] = "int8"
    acceleration: Annotated[Literal["cpu_gpu_auto", "cpu", "gpu", "npu"], Meta(description="Device the model runs on.")] = (
        "cpu_gpu_auto"
    )
    batch_processing: Annotated[Literal["dynamic", "static", "none"], Meta(description="Whether requests are batched.")] = (
        "dynamic"
    )


class IntelDeployment(Replicas, frozen=True, kw_only=True):
    """Where an Intel edge server runs."""

    container: Annotated[Literal["openvino_runtime"], Meta(description="Image the server runs in.")] = "openvino_runtime"
    orchestration: Annotated[
        Literal["kubernetes", "compose", "none"], Meta(description="What starts and watches the containers.")
    ] = "kubernetes"
    scaling: Annotated[Literal["horizontal", "vertical", "none"], Meta(description="How more load is served.")] = "horizontal"
    base: Base = ""


class IntelServer(Section, frozen=True, kw_only=True):
    """An Intel edge server."""

    framework: Annotated[FrameworkName, Meta(description="Framework the package is made with.")] = "openvino"
    optimization: Annotated[IntelOptimization, Meta(description="Settings of the optimized model.")] = IntelOptimization()
    deployment: Annotated[IntelDeployment, Meta(description="Where it runs.")] = IntelDeployment()


class NvidiaOptimization(Section, frozen=True, kw_only=True):
    """Settings of an NVIDIA edge server."""

    quantization: Annotated[Literal["int4", "int8", "fp16"], Meta(description="Technique the package is made with.")] = "int4"
    acceleration: Annotated[Literal["cuda", "tensorrt"], Meta(description="Device the model runs on.")] = "cuda"
    tensor_parallelism: Annotated[
        bool, Meta(description="Split the model over several GPUs, which Triton's backend for ONNX models does not do.")
    ] = False


class NvidiaDeployment(Replicas, frozen=True, kw_only=True):
    """Where an NVIDIA edge server runs."""

    container: Annotated[Literal["nvidia_triton"], Meta(description="Image the server runs in.")] = "nvidia_triton"
    orchestration: Annotated[
        Literal["kubernetes", "compose", "none"], Meta(description="What starts and watches the containers.")
    ] = "kubernetes"
    scaling: Annotated[Literal["gpu_aware", "horizontal", "none"], Meta(description="How more load is served.")] = "gpu_aware"
    base: Base = ""


class NvidiaServer(Section, frozen=True, kw_only=True):
    """An NVIDIA edge server."""

    framework: Annotated[FrameworkName, Meta(description="Framework the package is made with.")] = "microsoft_olive"
    optimization: Annotated[NvidiaOptimization, Meta(description="Settings of the optimized model.")] = NvidiaOptimization()
    deployment: Annotated[NvidiaDeployment, Meta(description="Where it runs.")] = NvidiaDeployment()


class EdgeServer(Section, frozen=True, kw_only=True):
    """Packages for edge servers."""

    intel_based: Annotated[IntelServer | None, Meta(description="An Intel edge server.")] = None
    nvidia_based: Annotated[NvidiaServer | None, Meta(description="An NVIDIA edge server.")] = None
