"""What looking through a large file costs: CPU and memory of gatekeeper's own inspectors on 1 GB of ONNX and GGUF."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from kit import hostile_models as made
from kit.lazily import Lazily

onnx = Lazily("onnx")
GB = 1 << 30

LOOK = """\
import resource, sys, time
from gatekeeper.scans._base import in_order
from gatekeeper.scans._work import Place, look
began = time.process_time()
place = Place(root=sys.argv[1], name=sys.argv[2])
seen = place.seen()
for name, scan in in_order():
    if scan.takes(seen):
        told = look(name, seen)
        assert not told.found and not told.unscanned, (name, told)
print(time.process_time() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def onnx_file(folder: Path) -> Path:
    """400 layers, of which each has its weights in the file, and one of 1 GB; the numbers are a hole in the file."""
    nodes = [onnx.helper.make_node("MatMul", [f"x{i}" if i else "x", f"w{i}"], [f"x{i + 1}"]) for i in range(400)]
    weights = [onnx.numpy_helper.from_array(np.zeros((4, 4), np.float32), f"w{i}") for i in range(400)]
    graph = made.model([*nodes, onnx.helper.make_node("Relu", ["x400"], ["y"])], weights)
    path = made.saved(graph, folder)
    head = b"\x08\x80\x80\x80\x80\x01\x10\x01\x42\x03big"  # dims: 1 << 28, float32, name: big
    tensor = head + b"\x4a" + varint(GB)
    before = path.read_bytes()
    field = b"\x2a" + varint(len(tensor) + GB)
    with path.open("wb") as file:
        file.write(before + b"\x3a" + varint(len(field) + len(tensor) + GB) + field + tensor)
        file.truncate(file.tell() + GB)
    return path


def varint(number: int) -> bytes:
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def gguf_file(folder: Path) -> Path:
    """A vocabulary of 128,000 tokens, a template, and 1 GB of weights."""
    import struct

    words = b"".join(made.word(f"token{i}") for i in range(128_000))
    tokens = made.word("tokenizer.ggml.tokens") + struct.pack("<IIQ", 9, 8, 128_000) + words
    template = made.pair("tokenizer.chat_template", "{% for m in messages %}{{ m.content }}{% endfor %}")
    head = made.gguf([made.pair(*made.ARCHITECTURE), tokens, template], [made.tensor("token_embd.weight", [1 << 14, 1 << 14])])
    with (folder / "model.gguf").open("wb") as file:
        file.write(head)
        file.truncate(len(head) + GB)
    return folder / "model.gguf"


@pytest.mark.parametrize("write", [onnx_file, gguf_file])
def test_a_gigabyte_is_looked_through_by_its_header(write: object, tmp_path: Path) -> None:
    path: Path = write(tmp_path)  # type: ignore[operator]
    assert path.stat().st_size > GB
    done = subprocess.run([sys.executable, "-c", LOOK, str(tmp_path), path.name], capture_output=True, text=True, check=True)
    seconds, kilobytes = map(float, done.stdout.split())
    print(f"\n{path.name}: {seconds:.2f} s of CPU, {kilobytes / 1024:.0f} MB at most, of {path.stat().st_size / 1e9:.2f} GB")
    assert seconds < 2
    assert kilobytes / 1024 < 512


def test_a_whole_scan_hashes_the_file_once(tmp_path: Path) -> None:
    gguf_file(tmp_path)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-m", "gatekeeper", "scan", "model.gguf"], cwd=tmp_path, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(f"\ngatekeeper scan, with SHA-256: {after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime:.2f} s of CPU")
