"""Energy of NVIDIA cards, from the counter their driver keeps since it was loaded (Volta and newer, in millijoules).

All cards count, or those that CUDA_VISIBLE_DEVICES leaves, where it says which ones in a way that needs no CUDA to
resolve. The driver integrates a power sensor that it samples every 20 to 100 ms, and on some cards for a part of the
time only (https://arxiv.org/abs/2312.02741), so blocks of less than a second are coarse. The CPU is not in it.
"""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass
from functools import partial
from typing import Any

from gatekeeper.making.cache import Cache
from gatekeeper.measure.energy._base import INSTALL, Absent, Counter, Meter

KIND = "measured"
DEVICES = ("cuda",)
LAG_S = 0.1  # between two samples of the sensor


@dataclass(frozen=True)
class _Card:
    handle: Any
    index: str
    name: str
    uuid: str


def find(device: str, cache: Cache | None = None) -> Meter | Absent:
    """The sum of the cards."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a package that was once named pynvml warns about itself
            import pynvml
    except ImportError:
        return Absent(f"the package nvidia-ml-py is not installed. {INSTALL}")
    return open_cards(pynvml, os.environ)


def open_cards(nvml: Any, environment: Any) -> Meter | Absent:
    """The same with a given module and environment."""
    try:
        nvml.nvmlInit()
        cards = [_card(nvml, i) for i in range(nvml.nvmlDeviceGetCount())]
    except nvml.NVMLError as error:
        return Absent(f"the NVIDIA driver does not answer ({error}); install it, or check that `nvidia-smi` works")
    if not cards:
        return Absent("the NVIDIA driver finds no card")
    chosen = _chosen(cards, environment.get("CUDA_VISIBLE_DEVICES"), environment.get("CUDA_DEVICE_ORDER"))
    if not chosen:
        return Absent("CUDA_VISIBLE_DEVICES hides every card; unset it")
    counters = []
    for card in chosen:
        try:
            counters.append(Counter(partial(_joules, nvml, card.handle)))
        except nvml.NVMLError as error:
            if error.value == nvml.NVML_ERROR_NOT_SUPPORTED:
                return Absent(f"{card.name} has no energy counter; cards from Volta on have one, unless they are virtual")
            return Absent(f"the energy counter of {card.name} cannot be read ({error})")
    which = chosen[0].name if len(chosen) == 1 else f"{len(chosen)} cards ({', '.join(sorted({c.name for c in chosen}))})"
    return Meter("nvml", "measured", f"{which}, idle and everything running on it; no CPU", counters, lag_s=LAG_S)


def _card(nvml: Any, index: int) -> _Card:
    handle = nvml.nvmlDeviceGetHandleByIndex(index)
    return _Card(handle, str(index), _text(nvml.nvmlDeviceGetName(handle)), _text(nvml.nvmlDeviceGetUUID(handle)))


def _chosen(cards: list[_Card], visible: str | None, order: str | None) -> list[_Card]:
    """The cards CUDA will see. Its numbers are those of NVML only if it orders by bus, or all cards are alike."""
    wanted = [w.strip() for w in (visible or "").split(",")]
    numbered = any(w.isdigit() for w in wanted)
    alike = order == "PCI_BUS_ID" or len({card.name for card in cards}) == 1
    if visible is None or any(w.startswith("MIG-") for w in wanted) or (numbered and not alike):
        return cards
    chosen: list[_Card] = []
    for w in wanted:
        named = [c for c in cards if c.index == w or (w.startswith("GPU-") and c.uuid.startswith(w))]
        if not named:
            break  # as CUDA does: what follows an unknown one is not seen
        chosen += [card for card in named if card not in chosen]
    return chosen


def _joules(nvml: Any, handle: Any) -> float:
    return float(nvml.nvmlDeviceGetTotalEnergyConsumption(handle)) / 1e3


def _text(value: str | bytes) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value
