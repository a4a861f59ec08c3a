"""Packages as a user has them made: a run that passed, and a file that says how it is packaged."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kit.certified import Place
from kit.command import call

DIGEST = "sha256:" + hashlib.sha256(b"an image").hexdigest()
BASE, IMAGE, SERVER = f"python:3.11-slim@{DIGEST}", f"reg.example.com/models/digits@{DIGEST}", f"example.com/server@{DIGEST}"

HOW = f"""\
edge_ai_pipeline:
  model: {{path: model.onnx, task: tabular_classification}}
  packaging:
    container: {{base: "{BASE}"}}
    kubernetes: {{image: "{IMAGE}", memory: 300MiB}}
    compose: {{image: "{IMAGE}", memory: 300MiB}}
    mobile_deployment:
      android:
        framework: onnx_runtime
        quantization: int8
        packaging: {{format: onnx, apk_size: <100MB}}
      cross_platform: {{framework: onnx_runtime, quantization: int8, packaging: {{format: onnx, shared_libraries: minimal}}}}
    edge_server:
      nvidia_based:
        framework: onnx_runtime
        optimization: {{quantization: int8, acceleration: cuda}}
        deployment: {{base: "{SERVER}", image: "{IMAGE}", memory: 2GiB}}
"""


class Packaging:
    """A release, and `how.yaml` beside it."""

    def __init__(self, place: Place, how: str = HOW):
        self.place, self.folder = place, place.folder
        self.how(how)

    @property
    def output(self) -> Path:
        return self.folder / "gatekeeper-package"

    def how(self, text: str) -> None:
        (self.folder / "how.yaml").write_text(text)

    def change(self, before: str, after: str) -> None:
        """How it is packaged, with one thing changed, which must be there."""
        text = (self.folder / "how.yaml").read_text()
        assert before in text
        self.how(text.replace(before, after))

    def call(self, *words: object) -> Any:
        return call(["package", "out", "--config", "how.yaml", *words], self.folder, {})

    def made(self, *words: object) -> Path:
        done = self.call(*words)
        assert done.returncode == 0, done.stderr
        return self.output

    def as_if(self, variant: str, fill: Callable[[Path], object]) -> None:
        """The same report of another variant's files, which this machine cannot measure: `fill` writes them into a folder."""
        self.place.change_report(lambda report: self._other(report, variant, fill))
        (self.folder / "pipeline.yaml").unlink(missing_ok=True)  # its plan knows that variant not

    def _other(self, report: dict[str, Any], variant: str, fill: Callable[[Path], object]) -> None:
        folder = self.folder / "out/artifacts"
        shutil.rmtree(folder)
        place = folder / variant.replace("/", "__")
        place.mkdir(parents=True)
        fill(place)
        files = {path.relative_to(place).as_posix(): path.read_bytes() for path in sorted(place.rglob("*")) if path.is_file()}
        digests = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
        whole = hashlib.sha256("".join(f"{digest}  {name}\n" for name, digest in digests.items()).encode()).hexdigest()
        path = f"artifacts/{place.name}"
        if len(files) == 1:  # what is one file lies there as one
            (name,) = files
            (place / name).rename(folder / name)
            place.rmdir()
            whole, path = digests[name], f"artifacts/{name}"
        artifact = {"path": path, "sha256": whole, "bytes": sum(map(len, files.values()))}
        _, framework, technique = variant.split("/")
        target = report["targets"][0]
        leg = f"here/{framework}"
        target["selected"] = variant
        target["legs"][0].update(id=leg, framework=framework)
        target["variants"][0].update(id=variant, framework=framework, technique=technique, artifact=artifact)
        report["pipeline"]["legs"] = [leg]


def told(folder: Path) -> dict[str, Any]:
    """What a part of a package says of itself."""
    found: dict[str, Any] = json.loads((folder / "package.json").read_text())
    return found
