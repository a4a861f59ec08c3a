"""Steps on Kubernetes: patches of the manifests that gatekeeper writes, through the front door, and nothing else is touched."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from kit.command import Command
from kit.strict import strict

from gatekeeper.deploy.engines._base import Going, engine
from gatekeeper.deploy.packages._manifests import Server, manifests
from gatekeeper.deploy.packages._resources import Needs
from gatekeeper.errors import UsageError
from gatekeeper.monitor.actions._base import Change, action
from gatekeeper.monitor.resolution.manifests import CONTAINER, Manifests, patch_of

IMAGE = f"reg.example.com/digits@sha256:{'a' * 64}"
SERVER = Server("digits", IMAGE, Needs(512, 2, "measured"), 2, 8, "none", annotations={"edge-gatekeeper/variant": "a/b/int8"})


def written(folder: Path, name: str = "kubernetes") -> Path:
    files = manifests(SERVER) if name == "kubernetes" else engine(name, "canary").files(
        Going(SERVER, "canary", "gradual", True, "http://judge:8080")
    )  # fmt: skip
    folder.mkdir()
    for file, text in files.items():
        (folder / file).write_text(text)
    return folder


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def applied(document: Any, patch: list[dict[str, Any]]) -> Any:
    """RFC 6902, for `add` and `replace` of members."""
    found = copy.deepcopy(document)
    for each in patch:
        *path, last = each["path"].strip("/").split("/")
        place = found
        for step in path:
            place = place[int(step)] if isinstance(place, list) else place[step]
        assert (last in place) is (each["op"] == "replace")
        place[last] = each["value"]
    return found


@pytest.mark.parametrize("name", ["kubernetes", "argo", "flagger"])
def test_every_step_is_a_patch_that_kubernetes_takes(name: str, tmp_path: Path) -> None:
    place = Manifests(written(tmp_path / "manifests", name), tmp_path / "patches")
    path, document = place._object()
    serving = place.serving()
    assert (serving.threads, serving.cores, serving.variant) == (2, 4, "a/b/int8")
    for step in ("more_cpu", "model_cache"):
        change = action(step).change(serving)
        assert isinstance(change, Change)
        document = applied(document, patch_of(document, change))
        strict(document)
    own = document["spec"]["template"]["spec"]["containers"][0]
    assert own["args"] == ["--threads", "4", "--cache", "4096"] and own["resources"]["requests"]["cpu"] == "4"
    path.write_text(yaml.safe_dump(document))
    assert (place.serving().threads, place.serving().cache) == (4, 4096), "the next step begins from there"
    assert CONTAINER.startswith("/spec/template")


def test_a_folder_without_a_model_says_what_to_write(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no Deployment and no Rollout"):
        Manifests(tmp_path, tmp_path).serving()
    (tmp_path / "a.yaml").write_text("kind: Deployment\nspec: {}\n")
    with pytest.raises(UsageError, match="has no container"):
        Manifests(tmp_path, tmp_path).serving()
    (tmp_path / "a.yaml").write_text("kind: [\n")
    with pytest.raises(UsageError, match="cannot be read"):
        Manifests(tmp_path, tmp_path).serving()


def test_an_alert_proposes_patches_and_touches_nothing(
    watching: Callable[..., Path], log: Callable[..., Path], gatekeeper: Command, tmp_path: Path
) -> None:
    before = digests(written(tmp_path / "manifests"))
    resolution = {"kubernetes": "manifests", "steps": ["smaller_batch", "more_cpu", "quantized"]}
    file = watching(requests="now.jsonl", alerts={"latency_p99": {"max_ms": 5}}, resolution=resolution)
    log("now.jsonl", 600, change={"ms": 80.0})
    done = gatekeeper("watch", file, "--once")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "smaller_batch: not possible: each request is answered by itself" in done.stderr
    assert "more_cpu: proposed" in done.stderr and "kubectl patch deployment digits --type json" in done.stderr
    assert "nobody is named" in done.stderr, done.stderr
    [patch] = (tmp_path / ".gatekeeper-watch-p-patches").iterdir()
    assert {each["path"] for each in json.loads(patch.read_text())} == {
        f"{CONTAINER}/args",
        f"{CONTAINER}/resources/requests/cpu",
    }
    assert digests(tmp_path / "manifests") == before
    again = gatekeeper("watch", file, "--once")
    assert again.returncode == 1 and "more_cpu" not in again.stderr, "each step once"
