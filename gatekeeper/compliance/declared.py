"""What a model's own files say of its licence: its header, or the card in its folder."""

from __future__ import annotations

from pathlib import Path

from gatekeeper.compliance.card import FILE_NAME, read_card
from gatekeeper.models.files import FORMATS, is_folder, model_format

NAME = "license_name"
"""The key of what a licence without an identifier is called."""


def declared(path: Path) -> dict[str, str]:
    """The licence by where it stands; `NotMeasured` where the file that would say it cannot be read."""
    found = {}
    hook = getattr(FORMATS.get(name), "licenses", None) if (name := model_format(path)) else None
    if hook is not None:
        found.update(hook(path))
    if is_folder(path) and (path / FILE_NAME).exists():
        card = read_card(path / FILE_NAME)
        found |= {key: said for key, said in ((f"{FILE_NAME} license", card.license), (NAME, card.license_name)) if said}
    return found
