"""Share of prompts whose answer stands in what is written. Scored by gatekeeper/evaluate/text/score.py."""

from __future__ import annotations

FAMILY = "text_generation"
DEFAULT = False
