"""The requirements matrix and the two priority orders, as tables."""

from __future__ import annotations

from collections.abc import Sequence

REQUIREMENTS: dict[str, dict[str, str]] = {
    "llama_cpp": {
        "cross_platform": "excellent", "enterprise": "basic", "mobile": "excellent", "real_time": "excellent",
        "model_variety": "LLM-focused", "ease": "simple",
    },
    "microsoft_olive": {
        "cross_platform": "good", "enterprise": "excellent", "mobile": "good", "real_time": "excellent",
        "model_variety": "all models", "ease": "automatic",
    },
    "openvino": {
        "cross_platform": "good", "enterprise": "excellent", "mobile": "good", "real_time": "excellent",
        "model_variety": "all models", "ease": "moderate",
    },
    "apple_mlx": {
        "cross_platform": "Apple only", "enterprise": "limited", "mobile": "excellent on iOS", "real_time": "excellent",
        "model_variety": "LLM-focused", "ease": "simple",
    },
}  # fmt: skip
"""Framework -> requirement -> how well it meets it."""

NEEDS = tuple(REQUIREMENTS["llama_cpp"])
"""What can be required."""

BEST_FIRST = (
    "excellent", "all models", "automatic", "excellent on iOS", "simple", "good", "moderate", "LLM-focused", "limited", "basic",
    "Apple only",
)  # fmt: skip
"""The words of the matrix, the best first."""

ORDERS: dict[str, tuple[str, ...]] = {
    "prototyping": ("llama_cpp", "apple_mlx", "microsoft_olive", "openvino"),
    "enterprise": ("microsoft_olive", "openvino", "apple_mlx", "llama_cpp"),
}
"""What it is for -> the frameworks in the order in which they are tried: fast prototyping, enterprise production."""


def met(framework: str, needs: Sequence[str]) -> int:
    """How far from the best a framework is in what is required, summed; smaller is better. One without a row comes last."""
    row = REQUIREMENTS.get(framework)
    return sum(BEST_FIRST.index(row[need]) if row else len(BEST_FIRST) for need in needs)


def said(framework: str, needs: Sequence[str]) -> str:
    """The same in words."""
    row = REQUIREMENTS.get(framework)
    return ", ".join(f"{need}: {row[need] if row else 'not in the matrix'}" for need in needs)
