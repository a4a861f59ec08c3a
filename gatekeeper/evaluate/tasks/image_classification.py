"""One class an image."""

from __future__ import annotations

FAMILY = "classification"
ANSWERS = "class"
DESCRIPTION = "one class an image"
LABELS = "one whole number an image, one-hot rows, or names; of a folder of images its subfolders"
