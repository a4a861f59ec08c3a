"""Folders for apps: an MLX folder for iOS, GGUF for Android, ONNX for both, each with what the app must know of the model."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatekeeper.config.sections.mobile import Android, CrossPlatform, Ios, MobileDeployment
from gatekeeper.deploy.packages._base import Asked, Content, Files, Part
from gatekeeper.errors import Refused
from gatekeeper.units import format_bytes, parse_size

if TYPE_CHECKING:
    from gatekeeper.config.meaning import Review
    from gatekeeper.deploy.packages._approved import Approved
    from gatekeeper.models.info import Assessment

DESCRIPTION = "Folders for apps on phones."
KEY = "mobile_deployment"
SECTION = MobileDeployment
ASKED = True
APP = "app.json"
MODEL = "model"
OPERATORS = "required_operators.config"
NEEDED = {"mlx": ("config.json", ".safetensors"), "gguf": (".gguf",), "onnx": (".onnx",)}
"""How names of files end that a format has, and no other."""
MAKES = {"mlx": ("apple_mlx",), "gguf": ("llama_cpp",), "onnx": ("onnx_runtime", "microsoft_olive"), "coreml": ()}
"""Frameworks whose artifacts are of a format."""
BATCH = {"conservative": 128, "balanced": 512}
"""Tokens of a prompt that llama.cpp computes at once: its buffers grow with them."""


def parts(section: MobileDeployment) -> list[Part]:
    """A part for each platform that the file names."""
    found = {"ios": section.ios, "android": section.android, "cross_platform": section.cross_platform}
    return [
        Part("mobile", name, own, (KEY, name), own.framework, own.quantization) for name, own in found.items() if own is not None
    ]


def problems(review: Review) -> None:
    """Formats that the framework beside them does not make."""
    packaging = review.pipeline.packaging
    section = getattr(packaging, KEY, None)
    for part in parts(section) if section else ():
        wanted = part.options.packaging.format
        if part.options.framework not in MAKES[wanted]:
            made = ", ".join(MAKES[wanted]) or "none does: mlx is what apple_mlx makes"
            said = f"{part.options.framework} does not make {wanted}: {made}. Change one of both."
            place = ("packaging", *part.path)
            stated = [(*place, "packaging", "format"), (*place, "framework"), place]
            review.add(next(path for path in stated if review.loaded.stated(*path) is not None), said)


def files(part: Part, approved: Approved, asked: Asked) -> Files:
    """A folder `bundle` or `assets` to put into the app as it is: the model, and app.json beside it."""
    from gatekeeper.deploy.packages._approved import session_of

    wanted = part.options.packaging.format
    lacking = [end for end in NEEDED.get(wanted, ()) if not any(name.endswith(end) for name in approved.files)]
    if wanted not in NEEDED or lacking:
        has = ", ".join(approved.files)
        raise Refused(f"{part.key}.packaging.format is {wanted}, and {approved.variant.id} is none: it has {has}.")
    folder = "bundle" if isinstance(part.options, Ios) else "assets"
    inner: dict[str, Content] = {f"{MODEL}/{name}": path for name, path in approved.contents.items()}
    about, more = _about(approved), dict[str, Content]()
    if isinstance(part.options, CrossPlatform) and part.options.packaging.shared_libraries == "minimal":
        more[OPERATORS] = operators(about, part)
    told = {"schema": "gatekeeper/app/v1", "variant": approved.variant.id, "format": wanted, "files": _files(approved)}
    session = session_of(approved)
    told |= {
        "runtime": runtime(part.options, approved) | ({"session": session} if session else {}),
        "model": _told(about, approved),
    }
    inner[APP] = json.dumps(told, indent=2, sort_keys=True) + "\n"
    _check_size(part, inner)
    return {f"{folder}/{name}": content for name, content in inner.items()} | more


def unmeasured(part: Part, approved: Approved) -> list[str]:
    """No phone measured anything here, unless the target was one."""
    if approved.target.hardware in ("arm_mobile",):
        return []
    leg = approved.leg
    machine = leg.environment.cpu if leg and leg.environment else "another machine"
    return [f"its accuracy, speed and memory were measured on {machine}, on no phone"]


def runtime(options: Ios | Android | CrossPlatform, approved: Approved) -> dict[str, Any]:
    """What the app starts the model with: the words of the pipeline file as its runtime has them (docs/package.md)."""
    name = {"apple_mlx": "mlx", "llama_cpp": "llama.cpp"}.get(approved.variant.framework, "onnxruntime")
    told: dict[str, Any] = {"name": name, "measured_with": approved.packages}
    if isinstance(options, Ios):
        return told | {
            "memory_mapping": options.memory_mapping,
            "background_execution": options.background_execution,
        }
    if isinstance(options, CrossPlatform):
        provider = {"cpu": "CPU", "cuda": "CUDA", "coreml": "CoreML", "nnapi": "Nnapi", "xnnpack": "Xnnpack"}
        return told | {
            "execution_provider": f"{provider[options.execution_provider]}ExecutionProvider",
            "shared_libraries": options.packaging.shared_libraries,
        }
    told["threads"] = "performance_cores" if options.threading == "android_optimized" else "all_cores"
    told["release_on_low_memory"] = options.memory_management == "conservative"
    if options.packaging.format != "gguf":
        return told
    return told | {"use_mmap": True, "use_mlock": False, "n_batch": BATCH[options.memory_management]}


def operators(about: Assessment, part: Part) -> str:
    """What ONNX Runtime is built with where nothing else is to be in its library: `--include_ops_by_config`.

    One line a domain: `domain;opset;operator,operator`.
    """
    domains: dict[str, set[str]] = {}
    for name in about.operators:
        domain, _, operator = name.rpartition("::")
        domains.setdefault(domain or "ai.onnx", set()).add(operator)
    lines = []
    for domain, names in sorted(domains.items()):
        opset = about.opset.get(domain) or about.opset.get("" if domain == "ai.onnx" else domain)
        if not opset:
            raise Refused(f"{part.key}: the model uses operators of {domain} and does not say which version. Set full.")
        lines.append(f"{domain};{opset};{','.join(sorted(names))}\n")
    return "# For ONNX Runtime's build.py --include_ops_by_config; not for --minimal_build, which reads no .onnx.\n" + "".join(
        lines
    )


def _about(approved: Approved) -> Assessment:
    from gatekeeper.errors import NotMeasured, UsageError
    from gatekeeper.models.files import assess

    try:
        return assess(approved.described)
    except (NotMeasured, UsageError) as error:
        raise Refused(f"{approved.variant.id}: {error}") from None


def _files(approved: Approved) -> dict[str, Any]:
    sizes = {name: path.stat().st_size for name, path in approved.contents.items()}
    return {f"{MODEL}/{name}": {"sha256": approved.files[name], "bytes": size} for name, size in sizes.items()}


def _told(about: Assessment, approved: Approved) -> dict[str, Any]:
    """The model's inputs and outputs, or its words, and the task."""
    import msgspec

    told: dict[str, Any] = {"task": approved.task, "parameters": about.parameters}
    if about.text is not None:
        text = about.text
        return told | {"family": text.family, "context": text.context, "end_tokens": text.end, "tokenizer": text.tokenizer}
    own = {"inputs": about.inputs, "outputs": about.outputs}
    told |= {what: [{"name": t.name, "dtype": t.dtype, "shape": t.shape} for t in tensors] for what, tensors in own.items()}
    if approved.pipeline is not None and approved.pipeline.pipeline.inputs:
        told["given"] = msgspec.to_builtins(approved.pipeline.pipeline.inputs)
    return told


def _check_size(part: Part, inner: Mapping[str, Content]) -> None:
    """`Refused` where what goes into the app, with what the app takes itself, is larger than the file allows."""
    from gatekeeper.making.zipped import zipped_bytes

    options = part.options.packaging
    if isinstance(part.options, Ios) and options.bundle_size:
        size, limit, what = sum(_bytes(each) for each in inner.values()), parse_size(options.bundle_size), "bundle_size"
    elif isinstance(part.options, Android) and options.apk_size:
        packed = {f"assets/{name}": each.encode() if isinstance(each, str) else each for name, each in inner.items()}
        size, limit, what = zipped_bytes(packed), parse_size(options.apk_size), "apk_size"
    else:
        return
    own = parse_size(options.app_size) if options.app_size else 0
    if size + own > limit:
        beside = f" and the app's own {format_bytes(own)}" if own else ""
        over = f"{format_bytes(size + own - limit)} over {part.key}.packaging.{what}, {format_bytes(limit)}"
        raise Refused(f"{part.key}: {format_bytes(size)}{beside} are {over}. Take a smaller quantization, or raise the limit.")


def _bytes(content: Content) -> int:
    if isinstance(content, Path):
        return content.stat().st_size
    return len(content.encode() if isinstance(content, str) else content)
