"""Packages built and tried before they are shipped: with the real docker-registry, and without it."""

from __future__ import annotations

import datetime
import shutil
from functools import cache
from pathlib import Path

import pytest
from kit.packaged import IMAGE, Packaging

from gatekeeper.config.policy import limits_file
from gatekeeper.deploy.packages import _loopback, _manifests, _staged
from gatekeeper.deploy.packages._approved import judged
from gatekeeper.deploy.packages._build import asked_parts
from gatekeeper.deploy.packages._staged import bench, staged
from gatekeeper.errors import UsageError
from gatekeeper.records.base import Verdict
from gatekeeper.records.packaged import Packaged

needs_registry = pytest.mark.skipif(
    not shutil.which("docker-registry"), reason="the Debian package docker-registry is not installed"
)


def tried(packaging: Packaging, folder: Path, *keys: str) -> dict[str, Packaged]:
    """Every part of the file, or of these kinds, built of the release and tried."""
    known = judged(packaging.folder / "out", None, None, datetime.datetime.now(datetime.UTC))
    pipeline = limits_file(packaging.folder / "how.yaml")
    parts = asked_parts(pipeline.pipeline.packaging, keys, ())
    with bench(folder) as place:
        return {part.folder: staged(part, None, known, pipeline, place) for part in parts}


def verdicts(found: Packaged) -> dict[str, Verdict]:
    return {check.name: check.verdict for check in found.checks}


def no_registry(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(_loopback, "program", lambda: None)


@needs_registry
def test_every_package_comes_back_and_a_changed_copy_of_it_does_not(packaging: Packaging, tmp_path: Path) -> None:
    pytest.importorskip("oras", reason="the extra `deploy` is not installed")
    packaging.change(f'kubernetes: {{image: "{IMAGE}", memory', "kubernetes: {scaling: vertical, memory")
    found = tried(packaging, tmp_path)
    assert set(found) == {"container", "kubernetes", "compose", "android", "cross_platform", "nvidia_based"}
    for name, each in found.items():
        assert set(verdicts(each).values()) == {Verdict.PASS}, (name, each.checks)
        assert each.round_trip and each.tampered and each.round_trip.came_back == each.sums
        assert each.tampered.handed_out != each.round_trip.layer, "the change arrived"
        assert "It was changed there" in each.tampered.refused
    cluster = found["kubernetes"]
    assert cluster.stand_in == ["image"] and any("stand-in.invalid" in note for note in cluster.not_measured)
    kinds = {held.kind: held.schema for held in cluster.objects}
    assert kinds["Deployment"] == "Kubernetes 1.34" and kinds["VerticalPodAutoscaler"] == "", "of that there is no schema here"
    assert found["nvidia_based"].stand_in == [] and "objects" in verdicts(found["nvidia_based"])


def test_without_a_registry_it_says_what_to_install_and_passes_only_what_needs_none(
    packaging: Packaging, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    no_registry(monkeypatch)
    found = tried(packaging, tmp_path, "mobile", "container")
    container, phone = found["container"], found["android"]
    assert verdicts(container) == {"built": Verdict.PASS, "round_trip": Verdict.ERROR, "tampered_copy": Verdict.ERROR}
    assert verdicts(phone) == {"built": Verdict.PASS, "round_trip": Verdict.SKIP, "tampered_copy": Verdict.SKIP}
    for each in (container, phone):
        assert all("apt-get install docker-registry" in check.reason for check in each.checks[1:])


def test_an_object_that_a_cluster_would_refuse_fails(
    packaging: Packaging, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    no_registry(monkeypatch)
    own = _manifests.service
    monkeypatch.setattr(_manifests, "service", lambda server: own(server) | {"spek": {}})
    found = tried(packaging, tmp_path, "kubernetes")["kubernetes"]
    [wrong] = [held for held in found.objects if held.problem]
    assert wrong.kind == "Service" and "'spek' was unexpected" in wrong.problem
    assert verdicts(found)["objects"] is Verdict.FAIL


@needs_registry
def test_who_accepts_a_changed_copy_fails_and_one_that_was_not_changed_shows_nothing(
    packaging: Packaging, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("oras", reason="the extra `deploy` is not installed")
    monkeypatch.setattr(_staged, "read_back", cache(_staged.read_back))  # as one who looks once, and then believes the digest
    found = tried(packaging, tmp_path, "mobile")["android"]
    assert verdicts(found)["round_trip"] is Verdict.PASS and verdicts(found)["tampered_copy"] is Verdict.FAIL
    monkeypatch.undo()
    monkeypatch.setattr(_loopback.Registry, "blob", lambda self, digest: _other(tmp_path))
    found = tried(packaging, tmp_path, "mobile")["android"]
    assert verdicts(found)["tampered_copy"] is Verdict.ERROR and "did not arrive" in found.checks[-1].reason


def _other(folder: Path) -> Path:
    (folder / "other").write_bytes(b"another file")
    return folder / "other"


def test_what_did_not_pass_is_not_packaged_and_what_lacks_is_said(
    packaging: Packaging, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    no_registry(monkeypatch)
    packaging.change("framework: onnx_runtime\n        quantization: int8", "framework: llama_cpp\n        quantization: q4_k_m")
    packaging.change("format: onnx, apk_size", "format: gguf, apk_size")
    packaging.change(", memory: 300MiB}\n    compose", "}\n    compose")
    found = tried(packaging, tmp_path, "mobile", "kubernetes")
    assert verdicts(found["android"]) == {"built": Verdict.FAIL} and "no such variant" in found["android"].refused
    assert verdicts(found["kubernetes"]) == {"built": Verdict.FAIL} and "no peak memory" in found["kubernetes"].refused


@needs_registry
def test_settings_of_other_registries_and_proxies_are_not_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY", "/proc/nowhere")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with _loopback.registry(tmp_path / "r") as registry:
        assert registry.get("/v2/") == b"{}" and registry.version.startswith("docker-registry 2.")
        host = registry.host
    with pytest.raises(OSError, match="refused"):
        _loopback.Registry(host, tmp_path, "").get("/v2/")


def test_packaging_with_an_empty_key_is_an_error(packaging: Packaging) -> None:
    packaging.how("edge_ai_pipeline:\n  packaging: {mobile_deployment: {}}\n")
    section = limits_file(packaging.folder / "how.yaml").pipeline.packaging
    with pytest.raises(UsageError, match="is empty"):
        asked_parts(section, (), ())
