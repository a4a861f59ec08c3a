"""As acc, with each choice's log-likelihood divided by its characters. Scored by gatekeeper/evaluate/text/score.py."""

from __future__ import annotations

FAMILY = "text_generation"
DEFAULT = False
