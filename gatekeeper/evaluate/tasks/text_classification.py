"""One class a text, given as token ids."""

from __future__ import annotations

FAMILY = "classification"
ANSWERS = "class"
DESCRIPTION = "one class a text, given as token ids"
LABELS = "one whole number a text, one-hot rows, or names"
