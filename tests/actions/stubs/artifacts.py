"""What the stubs of upload-artifact and download-artifact do: copy, by the rules of the real ones that gate.yml relies on."""

from __future__ import annotations

import fnmatch
import os
import shutil
import sys
from pathlib import Path

STORE = Path(os.environ["STUB_ARTIFACTS"])


def upload() -> None:
    lines = [line.strip() for line in os.environ["PATHS"].splitlines() if line.strip()]
    left_out = [Path(line[1:]) for line in lines if line.startswith("!")]
    found: list[tuple[Path, Path]] = []
    for root in (Path(line) for line in lines if not line.startswith("!")):
        files = [root] if root.is_file() else [f for f in sorted(root.rglob("*")) if f.is_file()]
        for file in files:
            hidden = any(part.startswith(".") for part in file.relative_to(root).parts)
            if not hidden and not any(file.is_relative_to(folder) for folder in left_out):
                found.append((file, Path(file.name) if root.is_file() else file.relative_to(root)))
    if not found:
        if os.environ["IF_NONE"] == "error":
            sys.exit("No files were found with the provided path")
        return
    if os.environ["NAME"] == os.environ.get("STUB_LOSES"):
        return  # uploaded, and gone
    folder = STORE / os.environ["NAME"]
    shutil.rmtree(folder, ignore_errors=True)
    for file, name in found:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(file, folder / name)


def download() -> None:
    name, pattern, into = os.environ["NAME"], os.environ["PATTERN"], Path(os.environ["FOLDER"])
    if name:
        if not (STORE / name).is_dir():
            sys.exit(f"Unable to download artifact(s): Artifact not found for name: {name}")
        shutil.copytree(STORE / name, into, dirs_exist_ok=True)
        return
    for folder in sorted(STORE.iterdir()) if STORE.is_dir() else []:
        if fnmatch.fnmatch(folder.name, pattern or "*"):
            shutil.copytree(folder, into if os.environ["MERGED"] == "true" else into / folder.name, dirs_exist_ok=True)


{"upload": upload, "download": download}[sys.argv[1]]()
