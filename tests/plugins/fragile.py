"""Sessions that fail in the round their artifact says; a round is one process, so the artifact counts them."""

import os
import time

EXTRA, REQUIRES, TECHNIQUES = "", (), {}


def open_session(path, threads, device):
    return Session(path)


class Session:
    inputs, outputs = ("x",), ("y",)

    def __init__(self, path):
        fails_in = int(path.read_text())
        counter = path.with_suffix(".count")
        descriptor = os.open(counter, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(descriptor, b"x")
        os.close(descriptor)
        self.fails = counter.stat().st_size == fails_in

    def run(self, feed):
        if self.fails:
            os._exit(9)
        time.sleep(0.0002)
        return []
