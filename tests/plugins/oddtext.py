"""The likeliest token is the sum of those before; the artifact is a text that says what is wrong with this one."""

import os

import numpy as np

EXTRA, REQUIRES, TECHNIQUES, RUNTIME = "oddtext", ("numpy",), {}, "numpy"
V, LIMIT = 512, 256


class Session:
    inputs, outputs = ("tokens",), ("logits",)

    def __init__(self, ill):
        self.ill, self.left = ill, 0

    def logits(self, tokens):
        ill = self.ill
        if len(tokens) > LIMIT or (not len(tokens) and ill != "writes"):
            if ill == "crashes":
                os.abort()
            if ill == "forgets":
                self.left = 5
            raise ValueError("no such prompt")
        sums = np.cumsum(tokens) + self.left + (len(tokens) if ill == "looks ahead" else 0)
        found = np.zeros((len(tokens), V - 1 if ill == "narrow" else V), np.float32)
        found[np.arange(len(tokens)), sums % found.shape[1]] = 9
        return found

    def run(self, feed):
        return [self.logits(feed["tokens"][0])[None]]

    def generate(self, feed):
        tokens = list(feed["tokens"])
        if len(tokens) + int(feed["new_tokens"]) > LIMIT:
            self.logits(np.zeros(LIMIT + 1, int))
        for i in range(int(feed["new_tokens"])):
            token = int(self.logits(np.array(tokens))[-1].argmax())
            if self.ill == "unlikely" and i == 3:
                token = (token + 1) % V
            if self.ill == "wild":
                token = V + 7
            if self.ill == "sticky":
                self.left = 1
            yield token
            if self.ill == "sticky":
                self.left = 0
            tokens.append(token)


def open_session(path, threads, device):
    return Session(path.read_text())
