"""Numbers as people read them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatekeeper.units import format_bytes, format_number, format_value


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        (0.01234, "0.0123"), (1.0, "1"), (12.345, "12.3"), (999.4, "999"), (999.6, "1,000"), (1423.0, "1,423"),
        (1234567.8, "1,234,568"), (-1500.0, "-1,500"), (0.0, "0"),
    ],
)  # fmt: skip
def test_three_digits_count(number: float, shown: str) -> None:
    assert format_number(number) == shown


@given(st.floats(1e-4, 1e12))
def test_no_number_is_shown_as_a_power_of_ten(number: float) -> None:
    for digits in (2, 3, 4):
        shown = format_number(number, digits)
        assert "e" not in shown
        assert math.isclose(float(shown.replace(",", "")), number, rel_tol=0.6 * 10 ** (1 - digits))


@pytest.mark.parametrize(
    ("count", "shown"),
    [(999, "999 B"), (1000, "1 kB"), (999_600, "1,000 kB"), (54_088_400, "54.1 MB"), (2.5e12, "2,500 GB")],
)
def test_bytes(count: float, shown: str) -> None:
    assert format_bytes(count) == shown


@pytest.mark.parametrize(
    ("number", "unit", "shown"),
    [(1.5, "x", "1.50x"), (0.95, "fraction", "95.0%"), (54e6, "bytes", "54 MB"), (14230.0, "ms", "14,230 ms"), (3.0, "", "3")],
)
def test_values_with_their_unit(number: float, unit: str, shown: str) -> None:
    assert format_value(number, unit) == shown
