"""What GitHub's runner reads: workflow commands and the file of outputs, by the rules of actions/runner."""

from __future__ import annotations

import re

COMMANDS = re.compile(r"##\[[a-z-]+")
"""The older form is a command anywhere in a line (src/Runner.Common/ActionCommand.cs, TryParse)."""


def parse(line: str) -> tuple[str, dict[str, str], str]:
    """A line that is one command: its name, properties and message (ActionCommand.TryParseV2)."""
    assert len(line.splitlines()) == 1
    assert line.startswith("::")
    assert not COMMANDS.search(line)
    end = line.index("::", 2)
    name, _, rest = line[2:end].partition(" ")
    properties = {}
    for pair in filter(None, rest.strip().split(",")):
        key, equals, value = pair.partition("=")
        assert equals, pair
        properties[key] = _unescape(value, {"%0D": "\r", "%0A": "\n", "%3A": ":", "%2C": ",", "%25": "%"})
    return name, properties, _unescape(line[end + 2 :], {"%0D": "\r", "%0A": "\n", "%25": "%"})


def _unescape(text: str, escapes: dict[str, str]) -> str:
    for escaped, raw in escapes.items():
        text = text.replace(escaped, raw)
    return text


def read_outputs(text: str) -> dict[str, str]:
    """Every output of a file (src/Runner.Worker/FileCommandManager.cs)."""
    found, lines = {}, iter(text.split("\n"))
    for line in lines:
        if not line:
            continue
        equals, heredoc = line.find("="), line.find("<<")
        if equals >= 0 and (heredoc < 0 or equals < heredoc):
            name, _, found[name] = line.partition("=")
            continue
        assert heredoc > 0, line
        name, _, delimiter = line.partition("<<")
        value = []
        while (inner := next(lines)) != delimiter:
            value.append(inner)
        found[name] = "\n".join(value)
    return found
