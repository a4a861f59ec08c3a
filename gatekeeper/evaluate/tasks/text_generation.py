"""Text that goes on: language models, read by gatekeeper/evaluate/text."""

from __future__ import annotations

FAMILY = "text_generation"
ANSWERS = "text"
DESCRIPTION = "text that goes on"
UNLABELLED = "KL divergence and same top token, shown beside perplexity"
LABELS = "none: the text itself (.txt, or .jsonl with `text`), or `prompt` and `answer` on each line of a .jsonl"
