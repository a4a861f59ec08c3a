"""An example's pipeline file in which nothing is named: `frameworks: auto`, `techniques: auto`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml


def auto_file(folder: Path, *targets: str, **optimization: Any) -> Path:
    """The example's own file with its optimization left to the tables, for these kinds of hardware; default: its own."""
    whole = yaml.safe_load((folder / "edge_ai_pipeline.yaml").read_text())
    own = whole["edge_ai_pipeline"]
    own["optimization"] = {"frameworks": "auto", "techniques": "auto"} | optimization
    [first] = own["targets"]
    own["targets"] = [first | {"name": f"on-{each.replace('_', '-')}", "hardware": each} for each in targets] or [first]
    file = folder / "auto.yaml"
    file.write_text(yaml.safe_dump(whole, sort_keys=False))
    return file
