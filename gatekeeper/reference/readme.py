"""README.md: its tables of commands and frameworks are made of those there are."""

from __future__ import annotations

from collections.abc import Callable

import click

from gatekeeper.cli._main import COMMANDS, ordered
from gatekeeper.frameworks._base import REGISTRY as FRAMEWORKS
from gatekeeper.frameworks._base import needs
from gatekeeper.models.files import FORMATS
from gatekeeper.planning.support import support
from gatekeeper.reference.tables import REPOSITORY, cell, filled, table


def page() -> str:
    """The text of the page, with its tables as they must be."""
    return filled(REPOSITORY / "README.md", TABLES)


def _commands() -> str:
    rows = []
    for name in ordered():
        command = COMMANDS.get(name).command
        arguments = [p for p in command.params if isinstance(p, click.Argument)]
        words = [name, *(f"{p.human_readable_name}{'...' * (p.nargs < 0)}" for p in arguments)]
        rows.append((f"`gatekeeper {' '.join(words)}`", cell(command.short_help)))
    return table(("command", "does"), rows)


def _frameworks() -> str:
    answers = {name: support(name) for name in FORMATS.names}
    rows = []
    for name in FRAMEWORKS.builtin:
        formats = [form for form in answers if None in answers[form][name].values()]
        devices = dict.fromkeys(device for form in formats for device, why in answers[form][name].items() if why is None)
        extras = dict.fromkeys(needs(name, form).extra for form in formats)
        cells = (extras, formats, devices)
        rows.append([f"`{name}`", *(", ".join(f"`{each}`" for each in listed) for listed in cells)])
    return table(("framework", "extra", "models", "devices"), rows)


TABLES: dict[str, Callable[[], str]] = {"commands": _commands, "frameworks": _frameworks}
