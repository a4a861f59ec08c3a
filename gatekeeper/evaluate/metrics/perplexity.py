"""How well a text model predicts its evaluation text; lower is better. Scored by gatekeeper/evaluate/text/score.py."""

from __future__ import annotations

FAMILY = "text_generation"
DEFAULT = True
