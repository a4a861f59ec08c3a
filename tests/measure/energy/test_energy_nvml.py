"""NVML: the real library where there is no card; arithmetic with a stand-in for its module, as no card is here."""

from __future__ import annotations

import math
from typing import Any

import pytest

from gatekeeper.measure.energy import nvml
from gatekeeper.measure.energy._base import Absent, Meter

ALL_NS = 10**15


class NVMLError(Exception):
    def __init__(self, value: int):
        super().__init__({3: "Not Supported", 9: "Driver Not Loaded", 15: "GPU is lost"}[value])
        self.value = value


class Driver:
    """What is used of pynvml, for cards given as name -> millijoules, or the code of an error."""

    NVMLError = NVMLError
    NVML_ERROR_NOT_SUPPORTED = 3

    def __init__(self, *cards: tuple[str, int], encode: bool = False, loaded: bool = True):
        self.names = [name for name, _ in cards]
        self.millijoules = [count for _, count in cards]
        self.lost: int | None = None
        self.encode, self.loaded = encode, loaded

    def nvmlInit(self) -> None:
        if not self.loaded:
            raise NVMLError(9)

    def nvmlDeviceGetCount(self) -> int:
        return len(self.names)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:
        return index

    def nvmlDeviceGetName(self, handle: int) -> Any:
        return self.names[handle].encode() if self.encode else self.names[handle]

    def nvmlDeviceGetUUID(self, handle: int) -> Any:
        text = f"GPU-{handle}aaa-bbb"
        return text.encode() if self.encode else text

    def nvmlDeviceGetTotalEnergyConsumption(self, handle: int) -> int:
        if self.lost is not None:
            raise NVMLError(self.lost)
        if self.millijoules[handle] < 0:
            raise NVMLError(3)
        return self.millijoules[handle]


def opened(driver: Driver, **environment: str) -> Meter:
    found = nvml.open_cards(driver, environment)
    assert isinstance(found, Meter), found
    return found


def refused(driver: Driver, **environment: str) -> str:
    found = nvml.open_cards(driver, environment)
    assert isinstance(found, Absent), found
    return found.reason


def spent(driver: Driver, **environment: str) -> float:
    """Joules seen when card i uses 2 to the i joules."""
    found = opened(driver, **environment)
    before = found.read()
    driver.millijoules = [count + 1000 * 2**i for i, count in enumerate(driver.millijoules)]
    return found.since(before, ALL_NS, 10**9)


def test_the_real_library() -> None:
    pynvml = pytest.importorskip("pynvml")
    found = nvml.find("cuda")
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        assert isinstance(found, Absent)
        assert "the NVIDIA driver does not answer" in found.reason
    else:
        assert isinstance(found, Meter | Absent)


def test_the_real_library_has_what_is_used_of_it() -> None:
    pynvml = pytest.importorskip("pynvml")
    assert [name for name in vars(Driver) if name.startswith("nvml") and not hasattr(pynvml, name)] == []
    assert pynvml.NVMLError_NotSupported().value == pynvml.NVML_ERROR_NOT_SUPPORTED == 3


@pytest.mark.parametrize("encode", [False, True])
def test_millijoules_of_one_card(encode: bool) -> None:
    driver = Driver(("L4", 10**12), encode=encode)
    assert spent(driver) == pytest.approx(1.0)
    assert opened(driver).covers == "L4, idle and everything running on it; no CPU"


def test_all_cards_count() -> None:
    driver = Driver(("L4", 1), ("L4", 2), ("L4", 3))
    assert spent(driver) == pytest.approx(7.0)
    assert opened(driver).covers.startswith("3 cards (L4)")


@pytest.mark.parametrize(
    ("visible", "joules"),
    [
        ("1", 2.0),
        ("2, 0", 5.0),
        ("0,0", 1.0),
        ("GPU-2aaa-bbb", 4.0),
        ("GPU-1", 2.0),
        ("1,7,0", 2.0),
        ("MIG-12345", 7.0),
    ],
)
def test_only_visible_cards_count(visible: str, joules: float) -> None:
    assert spent(Driver(("L4", 1), ("L4", 2), ("L4", 3)), CUDA_VISIBLE_DEVICES=visible) == pytest.approx(joules)


def test_a_number_says_nothing_where_cards_differ() -> None:
    """CUDA then puts the fastest first, NVML goes by bus."""
    cards = (("T4", 1), ("H200", 2))
    assert spent(Driver(*cards), CUDA_VISIBLE_DEVICES="0") == pytest.approx(3.0)
    assert spent(Driver(*cards), CUDA_VISIBLE_DEVICES="0", CUDA_DEVICE_ORDER="PCI_BUS_ID") == pytest.approx(1.0)
    assert spent(Driver(*cards), CUDA_VISIBLE_DEVICES="GPU-1aaa") == pytest.approx(2.0)


@pytest.mark.parametrize("visible", ["", "-1"])
def test_hidden_cards(visible: str) -> None:
    assert "hides every card" in refused(Driver(("L4", 1)), CUDA_VISIBLE_DEVICES=visible)


def test_no_card() -> None:
    assert "finds no card" in refused(Driver())


def test_no_driver() -> None:
    assert "Driver Not Loaded" in refused(Driver(loaded=False))


def test_a_card_that_is_too_old() -> None:
    assert refused(Driver(("GTX 1080", -1))).startswith("GTX 1080 has no energy counter; cards from Volta on")


def test_a_card_that_is_lost_at_once() -> None:
    driver = Driver(("L4", 1))
    driver.lost = 15
    assert "cannot be read (GPU is lost)" in refused(driver)


def test_a_card_that_is_lost_in_the_middle() -> None:
    driver = Driver(("L4", 1))
    found = opened(driver)
    before = found.read()
    driver.lost = 15
    assert math.isnan(found.since(before, ALL_NS, 0))
    assert "GPU is lost" in found.note


def test_a_driver_that_is_loaded_again() -> None:
    driver = Driver(("L4", 5000))
    found = opened(driver)
    before = found.read()
    driver.millijoules = [10]
    assert math.isnan(found.since(before, ALL_NS, 0))
    assert spent(driver) == pytest.approx(1.0)
