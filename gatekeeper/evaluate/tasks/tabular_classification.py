"""One class a row of numbers."""

from __future__ import annotations

FAMILY = "classification"
ANSWERS = "class"
DESCRIPTION = "one class a row of numbers, or whatever else an example is"
LABELS = "one whole number an example, one-hot rows, or names"
