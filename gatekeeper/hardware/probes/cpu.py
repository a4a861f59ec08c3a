"""The processor: who made it, and which instruction sets decide how fast and how exact 8 bits are."""

from __future__ import annotations

import os
from pathlib import Path

from gatekeeper.hardware.machine import ISA_FLAGS, processor, usual
from gatekeeper.hardware.probes._base import Found, text

DESCRIPTION, ORDER = "The CPU: vendor and instruction sets (AVX, VNNI, AMX, NEON, i8mm).", 10

_SUMS = {
    "amx_int8": "AMX tiles: 8-bit products summed in 32 bits",
    "avx512_vnni": "VNNI: 8-bit products summed in 32 bits",
    "avx_vnni": "VNNI: 8-bit products summed in 32 bits",
    "i8mm": "i8mm: 8-bit matrix products summed in 32 bits",
    "asimddp": "dot product: 8-bit products summed in 32 bits",
}
_IMPLEMENTERS = {"0x41": "ARM", "0x51": "Qualcomm", "0x61": "Apple", "0xc0": "Ampere", "0x53": "Samsung", "0x48": "HiSilicon"}
"""Of /proc/cpuinfo, where ARM processors name their maker by a number (MIDR_EL1)."""


def look(root: Path) -> list[Found]:
    """One processor."""
    name, flags = processor(root)
    isa = [flag for flag in ISA_FLAGS if flag in flags]
    facts = {
        "vendor": _vendor(root, name),
        "isa": " ".join(usual(flag) for flag in isa),
        "8 bits": next((words for flag, words in _SUMS.items() if flag in isa), "8-bit products may saturate in 16 bits"),
        "16 bits": ", ".join(
            words
            for words, own in (("bfloat16", {"avx512_bf16", "amx_bf16", "bf16"}), ("float16", {"asimdhp"}))
            if own & set(isa)
        ),
        "threads": str(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1),
    }
    return [Found(name=name or "unknown", kind="cpu", device="cpu", facts={key: value for key, value in facts.items() if value})]


def _vendor(root: Path, name: str) -> str:
    lines = text(root / "proc/cpuinfo").splitlines()
    fields = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    known = {"GenuineIntel": "Intel", "AuthenticAMD": "AMD"}
    if stated := fields.get("vendor_id"):
        return known.get(stated, stated)
    if number := fields.get("CPU implementer"):
        return _IMPLEMENTERS.get(number, number)
    return next((maker for maker in ("Apple", "Intel", "AMD") if name.startswith(maker)), "")
