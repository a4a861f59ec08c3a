"""Whether a repair that somebody hands over may be shown: it sets what a remedy may set, and is what its edits make of the file.

A leg runs code of a pull request's; what it leaves may say anything. What was measured nobody can know from it, and the next run
judges the changed file in any case. But no change of limits, data or anything else is offered in gatekeeper's name.
"""

from __future__ import annotations

import hashlib

from gatekeeper.errors import UsageError
from gatekeeper.records.repaired import Repair
from gatekeeper.repair.edits import check_allowed
from gatekeeper.repair.text import diff, edited, stretch


def untrue(found: Repair, content: bytes) -> str:
    """Why it may not, in words; empty where it may. `content` are the file's bytes."""
    if hashlib.sha256(content).hexdigest() != found.file_sha256:
        return f"{found.file} is not the file that was repaired"
    if found.outcome != "repaired":
        return ""
    try:
        check_allowed(found.edits)
        before = content.decode("utf-8-sig")
        after = edited(before, found.file, found.edits)
    except (UsageError, UnicodeDecodeError, LookupError, TypeError, ValueError) as error:
        return f"its edits cannot be made: {error}"
    where = stretch(before, after)
    told = found.patch, found.first_line, found.last_line, found.replacement
    same = told == (diff(before, after, found.file), where.first, where.last, where.replacement)
    return "" if same and before != after else "it is not what its edits make of the file"
