"""Model repositories for servers at the edge: OpenVINO Model Server on Intel's hardware, Triton Inference Server on NVIDIA's."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from gatekeeper.config.sections.edge_server import EdgeServer, IntelServer, NvidiaServer
from gatekeeper.deploy.packages._base import DRAIN_S, EVIDENCE, PORT, Asked, Content, Files, Part, check_images, label, pinned
from gatekeeper.errors import Refused
from gatekeeper.models.info import fixed

if TYPE_CHECKING:
    from gatekeeper.config.meaning import Review
    from gatekeeper.deploy.packages._approved import Approved
    from gatekeeper.models.info import Assessment

DESCRIPTION = "Model repositories for OpenVINO Model Server and Triton Inference Server."
KEY = "edge_server"
SECTION = EdgeServer
ASKED = True
DEVICES = {"cpu_gpu_auto": "AUTO:GPU,CPU", "cpu": "CPU", "gpu": "GPU", "npu": "NPU"}
COMMANDS = {
    "openvino_runtime": ["--config_path", "/models/config.json", "--port", "9000", "--rest_port", str(PORT)],
    "nvidia_triton": [
        "tritonserver", "--model-repository=/models", f"--http-port={PORT}", "--disable-auto-complete-config",
        f"--exit-timeout-secs={DRAIN_S}",
    ],
}  # fmt: skip
"""What the images of these servers are told to do."""
USERS = {"openvino_runtime": 5000, "nvidia_triton": 1000}
"""Who these images have, by number, and no root."""


def parts(section: EdgeServer) -> list[Part]:
    """A part for each server that the file names."""
    found = {"intel_based": section.intel_based, "nvidia_based": section.nvidia_based}
    return [
        Part("edge_server", name, own, (KEY, name), own.framework, own.optimization.quantization)
        for name, own in found.items()
        if own is not None
    ]


def problems(review: Review) -> None:
    """Images without their digests."""
    servers = ("intel_based", "nvidia_based")
    check_images(review, *((KEY, server, "deployment", name) for server in servers for name in ("base", "image")))


def image(part: Part, asked: Asked) -> str:
    """The one that is started and watched, where something does that."""
    stated = part.options.deployment
    return "" if stated.orchestration == "none" else asked.image or stated.image


def files(part: Part, approved: Approved, asked: Asked) -> Files:
    """`models`, with a folder for each version of the model; a Containerfile where the server's image is known, and what starts
    and watches it where the image that was built is.
    """
    from gatekeeper.deploy.packages._approved import session_of
    from gatekeeper.deploy.packages._runtime import opened
    from gatekeeper.deploy.packages.container import name_of

    name, stated = name_of(approved, asked), part.options.deployment
    about = opened(approved)
    if about.text is not None or not about.inputs:
        raise Refused(f"{part.key}: {approved.variant.id} writes text, and only models of tensors are put into these servers.")
    if session := session_of(approved):
        said = f"{approved.variant.id} was measured with a session of its own, {json.dumps(session)}, and these servers take none"
        raise Refused(f"{part.key}: {said}. Package the same technique without `session`, or use gatekeeper's own server.")
    repository = _openvino if isinstance(part.options, IntelServer) else _triton
    made: dict[str, Content] = {f"models/{file}": each for file, each in repository(part, approved, name, about).items()}
    if base := asked.base or stated.base:
        base = pinned(base, "the server's image", "--base", f"{part.key}.deployment.base")
        made["Containerfile"] = containerfile(base, stated.container)
    if runs := image(part, asked):
        runs = pinned(runs, "the image to run", "--image", f"{part.key}.deployment.image")
        made |= _orchestrated(part, approved, name, runs)
    return made


def unmeasured(part: Part, approved: Approved) -> list[str]:
    """What is left out for want of an image, and that another server was measured."""
    stated, told = part.options.deployment, ["the server is not the one that it was measured in"]
    if stated.orchestration != "none" and not stated.image:
        told.append(f"nothing for {stated.orchestration} is in it unless --image names one: build it, and package again")
    return told


def containerfile(base: str, container: str) -> str:
    """The server's own image with the models in it."""
    return f"""\
# Made by gatekeeper package. Build it in this folder: buildah bud -t NAME .
FROM {base}
COPY models /models
COPY {EVIDENCE} /evidence
USER {USERS[container]}:{USERS[container]}
EXPOSE {PORT}
STOPSIGNAL SIGTERM
CMD {json.dumps(COMMANDS[container])}
"""


def _openvino(part: Part, approved: Approved, name: str, about: Assessment) -> dict[str, Content]:
    """The repository of OpenVINO Model Server."""
    options = part.options.optimization
    if about.format != "openvino_ir":
        raise Refused(f"{part.key}: {approved.variant.id} is {about.format}, and the server is given OpenVINO's own form.")
    dynamic = all(tensor.shape and not fixed(tensor.shape[0]) for tensor in about.inputs)
    if options.batch_processing == "dynamic" and not dynamic:
        said = f"{part.key}.optimization.batch_processing is dynamic, and the model takes a fixed number of examples at a time"
        raise Refused(f"{said}. Export it with a batch axis of any length, or say static.")
    config: dict[str, Any] = {
        "name": name,
        "base_path": f"/models/{name}",
        "target_device": DEVICES[options.acceleration],
        "plugin_config": {"PERFORMANCE_HINT": "LATENCY"},
    }
    if options.batch_processing != "dynamic" and dynamic:
        config["batch_size"] = "1"
    made: dict[str, Content] = {"config.json": json.dumps({"model_config_list": [{"config": config}]}, indent=2) + "\n"}
    return made | {f"{name}/1/{file}": path for file, path in approved.contents.items()}


def _triton(part: Part, approved: Approved, name: str, about: Assessment) -> dict[str, Content]:
    """The repository of Triton."""
    from gatekeeper.deploy.packages._triton import config

    options = part.options.optimization
    if options.tensor_parallelism:
        said = f"{part.key}.optimization.tensor_parallelism is true, and Triton's backend for ONNX models splits none"
        raise Refused(f"{said} over several GPUs. Set it to false: each GPU then has a whole model.")
    main = [file for file in approved.files if file.endswith(".onnx")]
    if about.format != "onnx" or len(main) != 1:
        raise Refused(f"{part.key}: {approved.variant.id} is no single ONNX model: it has {', '.join(approved.files)}.")
    single = len(approved.files) == 1
    contents = {"model.onnx" if single else file: path for file, path in approved.contents.items()}
    text = config(name, about, "model.onnx" if single else main[0], options.acceleration == "tensorrt")
    made: dict[str, Content] = {f"{name}/config.pbtxt": text}
    return made | {f"{name}/1/{file}": path for file, path in contents.items()}


def _orchestrated(part: Part, approved: Approved, name: str, image: str) -> dict[str, Content]:
    """What starts and watches the servers."""
    from dataclasses import replace

    from gatekeeper.deploy.packages._manifests import manifests, server_of, yaml_of
    from gatekeeper.deploy.packages._resources import needs_of
    from gatekeeper.deploy.packages.compose import compose
    from gatekeeper.deploy.packages.kubernetes import FOLDER

    stated, key = part.options.deployment, f"{part.key}.deployment"
    user, gpu = USERS[stated.container], isinstance(part.options, NvidiaServer)
    if stated.orchestration == "compose":
        if stated.scaling not in ("none",):
            raise Refused(f"{key}.scaling is {stated.scaling}, and compose starts no more of a server by itself. Say none.")
        needs = needs_of(approved, stated, key)
        whole = compose(name, {"image": image}, f"127.0.0.1:{PORT}", needs, user=user, check=False, gpu=gpu)
        return {"compose.yaml": yaml_of(whole, f"Memory and cores: {needs.why}.")}
    server = server_of(approved, stated, key, label(name), image)
    server = replace(server, user=user, gpus=int(gpu))
    return {f"{FOLDER}/{file}": text for file, text in manifests(server).items()}
