"""`gatekeeper certify` as a step of a workflow: with the approvals of its own run, asked of GitHub and of nobody else."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from gatekeeper.certificate.certify import Asked, certify
from gatekeeper.errors import GatekeeperError, UsageError
from gatekeeper.github.approvals import approvals
from gatekeeper.github.context import read_event
from gatekeeper.github.outputs import write_outputs
from gatekeeper.reports._plain import plain


def step(environ: Mapping[str, str]) -> int:
    """Certify `RESULT` with the key in the file `KEY`, or by the job's identity; its exit code. The output `certificate` is what
    was written.
    """
    try:
        result = _path(environ, "RESULT")
        if result is None:
            raise UsageError("RESULT must be set: the folder with the report.")
        others = {name: _path(environ, name.upper()) for name in ("key", "artifact", "output", "policy", "waivers")}
        told = approvals(read_event(environ), environ.get("TOKEN", ""))
        written = certify(Asked(result, **others), environ, datetime.now(UTC), told)
    except GatekeeperError as error:
        print(plain(str(error)), file=sys.stderr)
        return int(error.exit_code)
    who = ", ".join(f"{each.user} ({each.state}, {each.environment})" for each in told) or "nobody was asked"
    print(plain(f"certified: {written.artifact} as {written.certified.variant}; approved by: {who}"))
    write_outputs({"certificate": written.path.as_posix()}, environ)
    return 0


def _path(environ: Mapping[str, str], name: str) -> Path | None:
    return Path(environ[name]) if environ.get(name) else None
