"""x @ w and a rectifier in numpy; the artifact is a text that says what is wrong with this one."""

import ctypes
import os
import time

import numpy as np

EXTRA, REQUIRES, TECHNIQUES = "odd", ("numpy",), {}
RUNTIME = "numpy"
KEPT = []
THIS_PROCESS = np.float32(1e-3 * (int.from_bytes(os.urandom(2)) % 1000 + 1))


def supports(model_format, device):
    return None


def defaults(model_format, device):
    return ()


def refuses(technique, model, calibrated):
    return None


def optimize(job):
    raise NotImplementedError


W = np.random.default_rng(0).standard_normal((16, 4)).astype(np.float32)


class Session:
    inputs, outputs, CONCURRENT = ("x",), ("y",), True

    def __init__(self, ill):
        self.ill, self.calls, self.last = ill, 0, None
        if ill == "leaks":
            KEPT.append(np.ones(4_000_000))

    def run(self, feed):
        self.calls += 1
        x, ill = feed["x"], self.ill
        if x.dtype != np.float32 or x.ndim != 2 or x.shape[1] != 16:
            if ill == "polite":
                return [np.zeros((1, 4), np.float32)]
            if ill == "stuck":
                self.ill = "stuck now"
            raise ValueError("x must be float32 [n, 16]")
        if ill == "stuck now":
            raise RuntimeError("it is broken since")
        if ill == "crashes" and np.isnan(x).any():
            ctypes.string_at(0)
        if ill == "hangs" and np.isnan(x).any():
            time.sleep(3600)
        if ill == "eats" and np.isnan(x).any():
            KEPT.append(np.ones(10**9 // 8))
            KEPT.append(np.ones(10**9 // 8))
            time.sleep(60)
        if ill == "third" and self.calls > 2:
            os.abort()
        if ill == "empty" and not len(x):
            raise ValueError("nothing to do")
        if ill == "slow":
            time.sleep(0.05)
        if ill == "delays" and self.calls % 35 == 0:
            time.sleep(0.15)
        if ill == "errs" and self.calls % 40 == 0:
            raise RuntimeError("the kernel fell over")
        if ill == "swells":
            KEPT.append(np.ones(4_000))
        y = np.maximum(x @ W, 0)
        if ill == "mixes":
            y = y - y.mean(axis=0)
        if ill == "counts":
            y = y + np.float32(1e-3) * self.calls
        if ill == "pid":
            y = y + THIS_PROCESS
        if ill == "racy":
            self.last = y
            time.sleep(0.002)
            y = self.last
        return [y]


def open_session(path, threads, device):
    ill = path.read_text()
    if ill == "never":
        raise RuntimeError("no such kernel")
    if ill == "second" and KEPT:
        raise RuntimeError("one at a time")
    if ill == "second":
        KEPT.append(0)
    return Session(ill)
