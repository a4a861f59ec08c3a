"""Gives back its first four numbers; the first of them may ask for something else."""

import os
import signal
import time

EXTRA, REQUIRES, TECHNIQUES = "asked", (), {}


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

    def run(self, feed):
        x = feed["x"]
        for asked in x[:, 0]:
            if asked == 666:
                os.kill(os.getpid(), signal.SIGKILL)
            if asked == 777:
                time.sleep(3600)
            if asked == 888:
                raise RuntimeError("the kernel fell over")
            if asked == 889:
                raise ValueError("that is no input")
            if asked == 111:
                time.sleep(0.3)
        return [x[:, :4] * 2]


def open_session(path, threads, device):
    return Session()
