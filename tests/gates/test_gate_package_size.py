from __future__ import annotations

import msgspec
import pytest

from gatekeeper.gates import package_size
from gatekeeper.records.base import Verdict
from gatekeeper.records.evidence import Evidence
from gatekeeper.records.gates import Decision
from gatekeeper.records.measured import Artifact


def judge(size: int, limit: str) -> Decision:
    config = msgspec.convert({"max": limit}, package_size.Config)
    return package_size.judge(config, Evidence(artifact=Artifact(path="model.onnx", sha256="0" * 64, bytes=size)))


@pytest.mark.parametrize(
    ("limit", "largest"),
    [
        ("50MB", 50 * 10**6),
        ("<50MB", 50 * 10**6),
        ("< 50 MB", 50 * 10**6),
        ("48MiB", 48 * 2**20),
        ("1.5GiB", 3 * 2**29),
        ("700kB", 700_000),
        ("700 B", 700),
        ("4.35MB", 4_350_000),
        ("1.1GB", 1_100_000_000),
    ],
)
def test_the_largest_size_allowed(limit: str, largest: int):
    assert judge(largest, limit).verdict is Verdict.PASS
    assert judge(largest + 1, limit).verdict is Verdict.FAIL


def test_sizes_are_exact():
    found = judge(1_000_000, "2MB")
    assert (found.observed, found.lower, found.upper) == (1e6, 1e6, 1e6)


def test_reasons_are_for_people():
    assert judge(1_000_000, "2MB").reason == "1 MB of 2 MB"
    assert judge(3_000_000, "2MB").reason == "3 MB, 1 MB over 2 MB"


def test_an_artifact_of_no_bytes_was_not_made():
    assert judge(0, "50MB").verdict is Verdict.ERROR


@pytest.mark.parametrize("limit", ["", "0MB", "50", "-1MB", "50XB", "MB", "1e3MB", "nan MB"])
def test_what_is_no_size_is_refused(limit: str):
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"max": limit}, package_size.Config)


def test_it_applies_only_when_the_file_mentions_it():
    assert package_size.DEFAULT is None
