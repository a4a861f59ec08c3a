"""Numbers with units as people write and read them: `50MB`, `<50MB`, `1.5GiB`, `10m`, `90s`, `2.00x`, `≥ 95.0%`."""

from __future__ import annotations

import math
import re

_SIZES = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30}
_DURATIONS = {"ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}

SIZE_PATTERN = r"^\s*<?\s*(?=[0-9.]*[1-9])[0-9]+(\.[0-9]+)?\s*([kKmMgG][iI]?)?[bB]\s*$"
DURATION_PATTERN = r"^\s*(?=[0-9.]*[1-9])[0-9]+(\.[0-9]+)?\s*(ms|s|m|h)\s*$"


def parse_size(text: str) -> int:
    """Bytes. `MB` is 10^6 and `MiB` 2^20; a leading `<` is how limits are often written and changes nothing."""
    match = re.fullmatch(r"\s*<?\s*([0-9.]+)\s*([A-Za-z]+)\s*", text)
    if not match or match[2].upper() not in _SIZES:
        raise ValueError(f"'{text}' is not a size such as 50MB or 48MiB")
    return int(float(match[1]) * _SIZES[match[2].upper()])


def parse_duration(text: str) -> float:
    """Seconds."""
    match = re.fullmatch(r"\s*([0-9.]+)\s*(ms|s|m|h)\s*", text)
    if not match:
        raise ValueError(f"'{text}' is not a duration such as 90s or 10m")
    return float(match[1]) * _DURATIONS[match[2]]


def format_duration(seconds: float) -> str:
    """For people and for the pipeline file: `4m`, `25s`, rounded up; less than a second as it is."""
    if 0 < seconds < 1:
        return f"{seconds:.2g}s"
    whole = math.ceil(seconds)
    return f"{whole}s" if whole < 120 else f"{math.ceil(whole / 60)}m"


def format_number(number: float, digits: int = 3) -> str:
    """For people: so many digits that count, and all of a large number's, never as a power of ten: 0.0123, 12.3, 1,230."""
    shown = f"{number:.{digits}g}"
    return f"{number:,.0f}" if "e+" in shown else shown


def format_bytes(count: float) -> str:
    """For people: three digits and a decimal unit."""
    count = min(count, 1e300)  # a stranger's integer may be larger than any float
    for unit, size in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if abs(count) >= size:
            return f"{format_number(count / size)} {unit}"
    return f"{count:.0f} B"


def format_value(number: float, unit: str) -> str:
    """For people: a number in the unit of a gate."""
    if unit == "x":
        return f"{number:.2f}x"
    if unit == "fraction":
        return f"{number:.1%}"
    if unit == "bytes":
        return format_bytes(number)
    return f"{format_number(number, 4)} {unit}".strip()


def format_limit(bound: str, number: float | None, unit: str) -> str:
    """For people: a limit as it is held; empty where there is none."""
    return "" if number is None else f"{'≤' if bound == 'at_most' else '≥'} {format_value(number, unit)}"
