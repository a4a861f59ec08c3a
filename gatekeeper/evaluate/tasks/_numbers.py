"""What tasks share that answer with numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gatekeeper.data.outputs import any_numbers as fits
from gatekeeper.evaluate.collapse import of_values as signs

if TYPE_CHECKING:
    from gatekeeper.config.sections.dataset import Dataset
    from gatekeeper.evaluate.metrics._base import Pair
    from gatekeeper.evaluate.tasks._base import Reading
    from gatekeeper.records.scores import KeptClass

__all__ = ["agreement", "check", "fits", "flat", "gather", "kept", "label", "read", "signs", "takes", "way"]


def gather(outputs: dict[str, Any], feed: dict[str, Any], reading: Reading) -> tuple[str, Any, set[str]] | None:
    """One output is judged, as it is."""
    return None


def label(labels: Any, dataset: Dataset, source: str) -> Any:
    """Labels are arrays."""
    return labels


UNLABELLED = "share of examples of which every number is within 5 % of the original's spread"


def way(baseline: Any, reading: Reading) -> Any:
    """Numbers need no reading."""
    return reading


def read(outputs: Any, way: Any) -> Any:
    """The outputs."""
    return outputs


def check(labels: Any, answers: Any, way: Any) -> Any:
    """Labels as they are: metrics say what does not fit."""
    return labels


def takes(outputs: tuple[int, ...], labels: tuple[int, ...]) -> bool:
    """Numbers may have any shape, so none speaks for them."""
    return False


def agreement(baseline: Any, variant: Any) -> Pair:
    """As of estimates."""
    from gatekeeper.evaluate.tasks import regression

    return regression.agreement(baseline, variant)


def flat(answers: Any, baseline: Any) -> Any:
    """Every number."""
    return answers.reshape(-1)


def kept(baseline: Any, variant: Any, truth: Any, slices: dict[str, Any], way: Any) -> list[KeptClass]:
    """There are no classes."""
    return []
