"""Share of prompts whose right choice is the likeliest. Scored by gatekeeper/evaluate/text/score.py."""

from __future__ import annotations

FAMILY = "text_generation"
DEFAULT = False
