"""Right and wrong answers class by class: an average over all may hide that one class is lost."""

from __future__ import annotations

from typing import Any

from gatekeeper.records.scores import KeptClass

MOST_CLASSES = 1000


def kept_classes(groups: Any, baseline: Any, variant: Any, slice_of: str = "") -> list[KeptClass]:
    """Counts of each group, those with most examples first, from groups and right answers of shape [examples].

    Groups are classes, or those of the slice that is named.
    """
    import numpy as np

    found = []
    labels, counts = np.unique(groups, return_counts=True)
    for label in labels[np.argsort(-counts, kind="stable")][:MOST_CLASSES]:
        inside = groups == label
        b, v = baseline[inside].astype(bool), variant[inside].astype(bool)
        found.append(
            KeptClass(
                name=f"{slice_of} = {label}" if slice_of else f"class {label}",
                examples=int(inside.sum()),
                both=int((b & v).sum()),
                only_baseline=int((b & ~v).sum()),
                only_variant=int((~b & v).sum()),
                slice=slice_of,
            )
        )
    return found
