"""Cuts open-inference.json out of the Open Inference Protocol's description that the package mlserver carries.

    pip download --no-deps mlserver==1.7.1 && unzip mlserver-1.7.1-py3-none-any.whl mlserver/rest/openapi/dataplane.json
    python tests/data/cut_open_inference.py mlserver/rest/openapi/dataplane.json tests/data/open-inference.json

Nothing is changed in it: the components stay, prose and examples go, which validate nothing. Apache License 2.0.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from cut_openapi import without_prose


def main() -> None:
    whole = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    kept = {"components": {kind: without_prose(part, names=True) for kind, part in whole["components"].items()}}
    Path(sys.argv[2]).write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
