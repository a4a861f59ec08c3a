"""A server that outlives the deploy that started it: `python -m gatekeeper.deploy.live.lasting FILE`; the file is a `Served`."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import msgspec

from gatekeeper.errors import GatekeeperError
from gatekeeper.serve.config import Served

MODULE = "gatekeeper.deploy.live.lasting"


def main() -> None:
    """Serve until SIGTERM; why it cannot is on standard error."""
    from gatekeeper.serve.server import serve

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)
    served = msgspec.json.decode(Path(sys.argv[-1]).read_bytes(), type=Served)
    try:
        serve(served, lambda url: print(url, flush=True))
    except KeyboardInterrupt:
        return
    except GatekeeperError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
