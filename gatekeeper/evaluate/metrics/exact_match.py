"""Share of prompts whose answer is written word for word. Scored by gatekeeper/evaluate/text/score.py."""

from __future__ import annotations

FAMILY = "text_generation"
DEFAULT = False
