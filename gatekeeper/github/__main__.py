"""What the action's steps run: `python -m gatekeeper.github extras|work|publish`, as action.yml does.

Inputs come in environment variables, never in a command line: a shell would read them.
"""

from __future__ import annotations

import os
import sys


def main() -> int:
    """One step; its exit code."""
    from gatekeeper.cli._main import prepare, speak_utf8
    from gatekeeper.github import action

    speak_utf8()
    prepare()
    steps = {"extras": action.extras, "work": action.work, "publish": action.publish}
    name = sys.argv[1] if len(sys.argv) == 2 else ""
    if name not in steps:
        print(f"usage: python -m gatekeeper.github {'|'.join(steps)}. This is what workflows call.", file=sys.stderr)
        return 2
    return steps[name](os.environ)


sys.exit(main())
