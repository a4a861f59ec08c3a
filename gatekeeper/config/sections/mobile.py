"""`packaging.mobile_deployment`: packages for phones."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from gatekeeper.config.section import FrameworkName, Section, Size

AppSize = Annotated[
    Size | None, Meta(description="What the app's own code and the runtime's libraries take of that; default: none of it.")
]


class IosPackage(Section, frozen=True, kw_only=True):
    """Packaging for iOS."""

    format: Annotated[Literal["mlx", "coreml"], Meta(description="File format of the packaged model.")] = "mlx"
    bundle_size: Annotated[
        Size | None,
        Meta(description="Largest app bundle: limits the model's files, as they are, and `app_size`; also `gates.bundle_size`."),
    ] = None
    app_size: AppSize = None


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
    apk_size: Annotated[
        Size | None,
        Meta(description="Largest apk: limits the model's files, deflated, and `app_size`; also `gates.apk_size`."),
    ] = None
    app_size: AppSize = None


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
