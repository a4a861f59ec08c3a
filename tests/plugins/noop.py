"""A model that does nothing."""

EXTRA, REQUIRES, TECHNIQUES = "noop", (), {}


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
        return []


def open_session(path, threads, device):
    return Session()
