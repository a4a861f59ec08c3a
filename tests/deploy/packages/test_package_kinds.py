"""What each kind of package holds, held to what reads it: schemas of Kubernetes and Compose, Triton's own types, zip."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import onnx
import pytest
import yaml
from jsonschema import ValidationError
from kit.packaged import BASE, IMAGE, SERVER, Packaging, told
from kit.strict import misspelt, schemas, strict
from kit.support import REPOSITORY

from gatekeeper.config.owners import PACKAGES
from gatekeeper.deploy.packages._base import kind
from gatekeeper.making.zipped import zipped_bytes


def documents(folder: Path) -> Iterator[tuple[str, Any]]:
    for path in sorted(folder.rglob("manifests/*.yaml")):
        yield path.name, yaml.safe_load(path.read_text())


@cache
def compose_schema() -> Any:
    """The schema of the Compose specification, as check-jsonschema brings it."""
    import check_jsonschema
    from jsonschema.validators import validator_for

    place = Path(str(check_jsonschema.__file__)).parent / "builtin_schemas/vendor/compose-spec.json"
    schema = json.loads(place.read_text())
    return validator_for(schema)(schema)


def composed(document: Any) -> None:
    compose_schema().validate(document)


def triton() -> ModuleType:
    """Triton's types without its client, which wants gRPC."""
    found = importlib.util.find_spec("tritonclient")
    assert found and found.submodule_search_locations
    place = Path(found.submodule_search_locations[0]) / "grpc/model_config_pb2.py"
    spec = importlib.util.spec_from_file_location("model_config_pb2", place)
    assert spec and spec.loader
    module = sys.modules.get("model_config_pb2") or importlib.util.module_from_spec(spec)
    if "model_config_pb2" not in sys.modules:
        sys.modules["model_config_pb2"] = module
        spec.loader.exec_module(module)
    return module


def configured(text: str) -> Any:
    from google.protobuf import text_format

    return text_format.Parse(text, triton().ModelConfig())


@pytest.mark.parametrize("scaling", ["horizontal", "none", "vertical"])
def test_objects_for_kubernetes_are_what_it_takes(packaging: Packaging, scaling: str) -> None:
    packaging.change("memory: 300MiB}\n    compose", f"memory: 300MiB, scaling: {scaling}}}\n    compose")
    found = dict(documents(packaging.made("--for", "kubernetes")))
    extra = {"horizontal": {"autoscaler.yaml"}, "vertical": {"vertical-autoscaler.yaml"}, "none": set()}[scaling]
    assert set(found) == {"deployment.yaml", "service.yaml", "network-policy.yaml", "disruption-budget.yaml"} | extra
    found.pop("vertical-autoscaler.yaml", None)  # no part of Kubernetes itself, and so of no schema here
    for document in found.values():
        strict(document)
    spec = found["deployment.yaml"]["spec"]
    pod = spec["template"]["spec"]
    (server,) = pod["containers"]
    assert server["image"] == IMAGE
    assert server["resources"] == {"requests": {"cpu": "1", "memory": "300Mi"}, "limits": {"memory": "300Mi"}}
    assert pod["securityContext"]["runAsNonRoot"] and pod["securityContext"]["runAsUser"] > 0
    assert pod["terminationGracePeriodSeconds"] > 30 + server["lifecycle"]["preStop"]["sleep"]["seconds"] - 1
    assert ("replicas" in spec) == (scaling != "horizontal"), "who scales says how many there are, and nobody else"
    labels = spec["template"]["metadata"]["labels"]
    for name, document in found.items():
        selector = document["spec"].get("selector") or document["spec"].get("podSelector") or {}
        wanted = selector.get("matchLabels", selector)
        assert wanted.items() <= labels.items(), name


def test_objects_for_gpus_are_too(packaging: Packaging) -> None:
    found = dict(documents(packaging.made("--part", "nvidia_based")))
    for document in found.values():
        strict(document)
    (server,) = found["deployment.yaml"]["spec"]["template"]["spec"]["containers"]
    assert server["resources"]["limits"] == {"memory": "2048Mi", "nvidia.com/gpu": 1}
    (metric,) = found["autoscaler.yaml"]["spec"]["metrics"]
    assert metric["type"] == "Pods"


def test_a_misspelt_key_of_an_object_is_noticed(packaging: Packaging) -> None:
    """Of every one: what is written here would else be as good as not written."""
    tried = 0
    for _, document in documents(packaging.made("--for", "kubernetes")):
        for path, wrong in misspelt(document):
            with pytest.raises((schemas().ValidationError, schemas().SchemaNotFoundError, KeyError)):
                strict(wrong)
                pytest.fail(f"{path} may be misspelt")
            tried += 1
    assert tried > 60


def test_a_compose_file_is_what_compose_takes(packaging: Packaging) -> None:
    document = yaml.safe_load((packaging.made("--for", "compose") / "compose/compose.yaml").read_text())
    composed(document)
    (service,) = document["services"].values()
    assert service["image"] == IMAGE and service["read_only"] and service["user"] == "65532:65532"
    assert service["ports"] == ["127.0.0.1:8000:8000"], "nobody but this host, unless one says so"
    for path, wrong in misspelt(document):
        if path[-1] == "name":
            continue  # it may have none, and then another key is wrong only below `services`
        with pytest.raises(ValidationError):
            composed(wrong)
            pytest.fail(f"{path} may be misspelt")


def test_a_compose_file_builds_what_it_has_no_image_of(packaging: Packaging) -> None:
    packaging.change(f'compose: {{image: "{IMAGE}"', f'compose: {{base: "{BASE}"')
    place = packaging.made("--for", "compose") / "compose"
    document = yaml.safe_load((place / "compose.yaml").read_text())
    composed(document)
    (service,) = document["services"].values()
    assert (place / service["build"]["context"] / service["build"]["dockerfile"]).is_file()
    assert (place / "image/evidence/report.json").is_file(), "what the recipe copies is there"


def test_an_image_holds_one_framework_and_no_root(packaging: Packaging) -> None:
    place = packaging.made("--for", "container", "--name", "Digits") / "container"
    recipe = (place / "Containerfile").read_text()
    assert f"FROM {BASE}\n" in recipe and "\nUSER 65532:65532\n" in recipe and "\nHEALTHCHECK " in recipe
    (entry,) = re.findall(r"^ENTRYPOINT (.*)$", recipe, re.MULTILINE)
    words = json.loads(entry)  # the exec form: no shell is process 1
    assert words[:4] == ["python3", "-m", "gatekeeper", "serve"] and words[words.index("--name") + 1] == "digits"
    assert (place / words[4].removeprefix("/")).is_file()
    for source in re.findall(r"^COPY (?!--from)(.*) \S+$", recipe, re.MULTILINE):
        assert all((place / each).exists() for each in source.split()), source
    wanted = (place / "requirements.txt").read_text().split()
    assert {"onnxruntime", "uvicorn", "msgspec"} <= set(wanted)
    assert not {"openvino", "torch", "llama-cpp-python", "mlx", "pytest", "ruff"} & set(wanted)
    locked = dict(line.split(";")[0].strip().split("==") for line in (place / "constraints.txt").read_text().splitlines())
    assert set(wanted) <= set(locked)
    measured = told(place)["measured"]["packages"]
    assert {name: locked[name] for name in measured} == measured, "what was measured is what is installed"


def test_the_code_in_an_image_serves(packaging: Packaging) -> None:
    """Of gatekeeper nothing is missing there."""
    place = packaging.made("--for", "container") / "container"
    done = subprocess.run(
        [sys.executable, "-m", "gatekeeper", "serve", "--help"],
        cwd=place, env={"PYTHONPATH": str(place / "runtime"), "PATH": ""}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0 and "Open Inference Protocol" in done.stdout, done.stderr
    assert {path.name for path in (place / "runtime/gatekeeper/serve").glob("*.py")} == {
        path.name for path in (REPOSITORY / "gatekeeper/serve").glob("*.py")
    }


def test_without_a_measured_peak_nobody_says_how_much_memory(packaging: Packaging) -> None:
    packaging.change("memory: 300MiB}\n    compose", "replicas: 3}\n    compose")
    done = packaging.call("--for", "kubernetes")
    assert done.returncode == 1 and "no peak memory was measured" in done.stderr and "packaging.kubernetes.memory" in done.stderr


def test_triton_can_read_its_configuration(packaging: Packaging) -> None:
    place = packaging.made("--part", "nvidia_based", "--name", "digits") / "nvidia_based"
    text = (place / "models/digits/config.pbtxt").read_text()
    found = configured(text)
    model = onnx.load(place / "models/digits/1" / found.default_model_filename)
    for own, stated in ((model.graph.input, found.input), (model.graph.output, found.output)):
        assert [each.name for each in own] == [each.name for each in stated]
        shapes = [[d.dim_value or -1 for d in each.type.tensor_type.shape.dim] for each in own]
        assert shapes == [list(each.dims) for each in stated]
        assert {each.data_type for each in stated} == {triton().TYPE_FP32}
    assert found.backend == "onnxruntime" and found.max_batch_size == 0
    assert [group.kind for group in found.instance_group] == [triton().ModelInstanceGroup.KIND_GPU]
    from google.protobuf.text_format import ParseError

    words = set(re.findall(r"(\w+)(?=\s*[:{])", text)) - {"package"}
    assert len(words) > 9
    for word in words:
        with pytest.raises(ParseError):
            configured(re.sub(rf"\b{word}\b(?=\s*[:{{])", f"{word}x", text))
    assert f"FROM {SERVER}\n" in (place / "Containerfile").read_text()


def test_triton_takes_tensorrt_where_the_file_says_so(packaging: Packaging) -> None:
    packaging.change("acceleration: cuda", "acceleration: tensorrt")
    place = packaging.made("--part", "nvidia_based", "--name", "digits") / "nvidia_based"
    found = configured((place / "models/digits/config.pbtxt").read_text())
    (accelerator,) = found.optimization.execution_accelerators.gpu_execution_accelerator
    assert accelerator.name == "tensorrt"


def test_what_triton_does_not_do_is_refused(packaging: Packaging) -> None:
    packaging.change("acceleration: cuda", "tensor_parallelism: true")
    done = packaging.call("--part", "nvidia_based")
    assert done.returncode == 1 and "tensor_parallelism is true" in done.stderr and not packaging.output.exists()


def test_an_edge_server_without_images_is_a_repository(packaging: Packaging) -> None:
    packaging.change(f'{{base: "{SERVER}", image: "{IMAGE}", memory: 2GiB}}', "{}")
    place = packaging.made("--part", "nvidia_based") / "nvidia_based"
    assert not (place / "Containerfile").exists() and not (place / "manifests").exists()
    assert any("unless --image names one" in note for note in told(place)["not_measured"])


def test_an_app_is_told_what_it_must_know(packaging: Packaging) -> None:
    place = packaging.made("--for", "mobile")
    app = json.loads((place / "android/assets/app.json").read_text())
    model = place / "android/assets" / next(iter(app["files"]))
    digest = told(place / "android")["artifact"]["sha256"]
    assert app["files"] == {f"model/{model.name}": {"bytes": model.stat().st_size, "sha256": digest}}
    assert app["model"]["inputs"] == [{"name": "x", "dtype": "float32", "shape": ["n", 16]}]
    assert app["runtime"]["threads"] == "performance_cores" and app["runtime"]["release_on_low_memory"] is True
    assert "n_batch" not in app["runtime"], "that is llama.cpp's"
    other = json.loads((place / "cross_platform/assets/app.json").read_text())
    assert other["runtime"]["execution_provider"] == "CPUExecutionProvider"
    lines = (place / "cross_platform/required_operators.config").read_text().splitlines()[1:]
    listed = {(line.split(";")[0], name) for line in lines for name in line.split(";")[2].split(",")}
    own = onnx.load(model)
    assert listed == {(node.domain or "ai.onnx", node.op_type) for node in own.graph.node}
    assert [int(line.split(";")[1]) for line in lines] == [own.opset_import[0].version]


def test_all_libraries_take_no_list_of_operators(packaging: Packaging) -> None:
    packaging.change("shared_libraries: minimal", "shared_libraries: full")
    assert not (packaging.made("--part", "cross_platform") / "cross_platform/required_operators.config").exists()


def test_an_apk_that_is_too_large_is_refused(packaging: Packaging, tmp_path: Path) -> None:
    """By what a zip archive of it really takes, as the program `zip` of Python makes one."""
    place = packaging.made("--part", "android")
    import zipfile

    with zipfile.ZipFile(tmp_path / "app.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted((place / "android").rglob("assets/**/*")):
            if path.is_file():
                archive.write(path, path.relative_to(place / "android"))
    size = (tmp_path / "app.zip").stat().st_size
    found = [path for path in (place / "android/assets").rglob("*") if path.is_file()]
    names = {path.relative_to(place / "android").as_posix(): path for path in found}
    assert abs(zipped_bytes(names) - size) < 100 < size
    packaging.change("apk_size: <100MB", f"apk_size: {size + 60}B")
    packaging.made("--part", "android", "--replace")
    for limit in (f"apk_size: {size - 100}B", f"apk_size: {size + 60}B, app_size: 200B"):
        packaging.how(re.sub(r"apk_size: [^,}]*(, app_size: [^}]*)?", limit, (packaging.folder / "how.yaml").read_text()))
        done = packaging.call("--part", "android", "--replace")
        assert done.returncode == 1 and "over packaging.mobile_deployment.android.packaging.apk_size" in done.stderr


def test_every_kind_is_tried_here(packaging: Packaging) -> None:
    asked = yaml.safe_load((packaging.folder / "how.yaml").read_text())["edge_ai_pipeline"]["packaging"]
    assert {kind(name).KEY for name in PACKAGES.names} == set(asked)


@pytest.mark.parametrize("name", PACKAGES.names)
def test_a_kind_has_the_documented_shape(name: str) -> None:
    found = kind(name)
    assert found.DESCRIPTION.endswith(".")
    section = found.SECTION()  # every field has a default
    assert [part.kind for part in found.parts(section)] in ([name], []), "of what only the file asks for, nothing by itself"
    assert (found.parts(section) == []) == found.ASKED
