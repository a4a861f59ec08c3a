"""Results of a benchmark that takes an hour, one a line in a file: what was done is not done again."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any


class Kept:
    """Results by their names. With GATEKEEPER_BENCH_STATE they lie in that folder, and the next run goes on from there; remove it
    where the code has changed.
    """

    def __init__(self, name: str):
        folder = os.environ.get("GATEKEEPER_BENCH_STATE")
        self.path = Path(folder) / f"{name}.jsonl" if folder else None
        self.found: dict[str, Any] = {}
        if self.path and self.path.exists():
            lines = self.path.read_text().splitlines(keepends=True)
            whole = [json.loads(line) for line in lines if line.endswith("\n")]  # the last one may have been cut
            self.found = {each["of"]: each["is"] for each in whole}

    def once(self, name: str, measure: Callable[[], Any]) -> Any:
        """What is known of it, else what `measure` finds, which is written down at once."""
        if name not in self.found:
            self.found[name] = measure()
            if self.path:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                with self.path.open("a") as file:
                    file.write(json.dumps({"of": name, "is": self.found[name]}) + "\n")
        return self.found[name]
