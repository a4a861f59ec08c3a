"""Notes the first number of every input, which may ask for something."""

import time

EXTRA, REQUIRES, TECHNIQUES = "logs", (), {}


def supports(model_format, device):
    return None


def defaults(model_format, device):
    return ()


def refuses(technique, model, calibrated):
    return None


def optimize(job):
    raise NotImplementedError


class Session:
    inputs, outputs, CONCURRENT = ("x",), ("y",), True

    def __init__(self, path):
        self.log = path.open("a", buffering=1)  # for as long as the process lives

    def run(self, feed):
        asked = int(feed["x"].flat[0])
        self.log.write(f"{asked}\n")
        if asked == 111:
            time.sleep(0.3)
        if asked == 888:
            raise RuntimeError("the kernel fell over")
        return [feed["x"][:, :4]]


def open_session(path, threads, device):
    return Session(path)
