"""Where the repository's own files are."""

from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
EXAMPLES = sorted(p.parent.name for p in REPOSITORY.glob("examples/*/make_model.py"))
