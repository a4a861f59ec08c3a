"""docs/frameworks.md: what runs where, and every technique."""

from __future__ import annotations

from gatekeeper.frameworks._base import REGISTRY as FRAMEWORKS
from gatekeeper.frameworks._base import TEXT_FORMATS, framework, needs
from gatekeeper.models.files import FORMATS
from gatekeeper.planning.support import devices, support

HEAD = """\
# Frameworks

What each framework is asked and answers; made by `make schemas` from `gatekeeper/frameworks`, do not edit by hand.
`gatekeeper plan FILE --format support` prints the same for one model, with the reasons.

A leg whose framework cannot take the model to the target's device is left out, with the reason, when it is planned; it
neither passes nor blocks. `text_generation` takes Hugging Face folders and .gguf, every other task the other formats.
"""


def page() -> str:
    """docs/frameworks.md."""
    kinds = "\n".join(f"- `{device}`: {', '.join(f'`{name}`' for name in names)}" for device, names in devices().items())
    parts = [HEAD, "## Devices\n\nThe kinds of `hardware` a target may name, by the device sessions are opened on:\n\n" + kinds]
    names = sorted(FORMATS.names, key=lambda name: (name in TEXT_FORMATS, name))
    rows = ["| | " + " | ".join(f"`{name}`" for name in names) + " |", "| --- " * (len(names) + 1) + "|"]
    answers = {name: support(name) for name in names}
    for name in FRAMEWORKS.names:
        cells = [", ".join(d for d, reason in answers[f][name].items() if reason is None) or "-" for f in names]
        rows.append(f"| `{name}` | " + " | ".join(cells) + " |")
    parts.append("## Model formats and devices\n\n" + "\n".join(rows))
    for name in FRAMEWORKS.names:
        extras = dict.fromkeys(needs(name, f).extra for f in names if any(r is None for r in answers[f][name].values()))
        lines = [f"| `{technique}` | {meaning} |" for technique, meaning in framework(name).TECHNIQUES.items()]
        table = "\n".join(["| technique | what it does |", "| --- | --- |", *lines])
        parts.append(f"## `{name}`\n\nExtra: {' or '.join(f'`{extra}`' for extra in extras)}\n\n{table}")
    return "\n\n".join(part.strip() for part in parts) + "\n"
