"""The same question to both colours, one right after the other, again and again: whether they answer alike, and who is right.

Beside the users' traffic and not part of it: it says what a log cannot, whatever part of the traffic each colour has.
"""

from __future__ import annotations

import http.client
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import msgspec

from gatekeeper.load.generate import LoadTest, LoadTested
from gatekeeper.process.messages import Held

LATE_S = 0.1
"""How far it falls behind its rate, at most, where answers take longer: what was missed is not asked in a heap."""

APART = 0.25
"""Numbers are answered alike if they are within this of one another, as a part of their root mean square."""


class Pair(msgspec.Struct, frozen=True, array_like=True):
    """One question. `same` and who was right are None where that is not known: no answer, no label."""

    same: bool | None
    green_right: bool | None
    blue_right: bool | None
    green_ok: bool
    blue_ok: bool
    green_ms: float
    blue_ms: float


class Ask(LoadTest, frozen=True, kw_only=True):
    """Ask both at `target_qps` until the file `stop` is there; each `Pair` is a line of `destination`.

    `classes` says that answers are scores of classes; `labels` is an .npy of one class an example, or empty.
    """

    green_url: str
    stop: str
    classes: bool
    labels: str = ""

    def answer(self, held: Held) -> LoadTested:
        """Ask until it is time to stop."""
        return ask(self)


def ask(request: Ask) -> LoadTested:
    """Write one line for each question, at once."""
    from gatekeeper.load.http import _bodies

    labels = _labels(request.labels)
    verb = "generate" if request.spec.text else "infer"
    path = f"/v2/models/{quote(request.name, safe='')}/{verb}"
    bodies = _bodies(request)
    colours = [_Line(request.green_url, request.request_timeout_ms), _Line(request.url, request.request_timeout_ms)]
    count, due, end = 0, time.monotonic(), time.monotonic() + request.duration_s
    stop = Path(request.stop)
    with Path(request.destination).open("ab", buffering=0) as file:
        while not stop.exists() and due < end:
            time.sleep(max(0.0, due - time.monotonic()))
            index = count % request.examples
            body, headers = bodies[index]
            turns = [0, 1] if count % 2 else [1, 0]  # one after the other: at once they would wait for each other's cores
            found = {turn: colours[turn].ask(path, body, headers) for turn in turns}
            (green, green_ms), (blue, blue_ms) = found[0], found[1]
            answers = [_read(answer, request) for answer in (green, blue)]
            pair = compared(answers[0], answers[1], request.classes, labels[index] if labels is not None else None)
            file.write(msgspec.json.encode(msgspec.structs.replace(pair, green_ms=green_ms, blue_ms=blue_ms)) + b"\n")
            count += 1
            due = max(due + 1 / request.target_qps, time.monotonic() - LATE_S)
    return LoadTested(requests=count, answered=count)


def compared(green: Any, blue: Any, classes: bool, label: int | None) -> Pair:
    """Two answers, arrays of scores of shape [..., classes] or of numbers, or texts; None is no answer."""
    said = [None if answer is None else _class(answer) if classes else answer for answer in (green, blue)]
    right = [None if label is None or each is None or not classes else bool(each == label) for each in said]
    same = None if said[0] is None or said[1] is None else alike(said[0], said[1])
    return Pair(same, right[0], right[1], green is not None, blue is not None, 0.0, 0.0)


def alike(one: Any, other: Any) -> bool:
    """Whether two answers say the same. NaN says nothing, and is like nothing."""
    import numpy as np

    if isinstance(one, int | str) or isinstance(other, int | str):
        return bool(one == other)
    if one.shape != other.shape:
        return False
    if one.dtype.kind != "f":
        return bool(np.array_equal(one, other))
    apart = float(np.sqrt(np.mean((one.astype(np.float64) - other) ** 2)))
    return apart <= APART * float(np.sqrt(np.mean(other.astype(np.float64) ** 2)))


def _class(scores: Any) -> Any:
    import numpy as np

    if scores.dtype.kind == "f" and not np.isfinite(scores).all():
        return -1  # no class at all
    return int(scores.reshape(-1).argmax())


def _labels(path: str) -> list[int] | None:
    if not path:
        return None
    import numpy as np

    return [int(each) for each in np.load(path).reshape(-1)]


def _read(answer: tuple[bytes, int | None] | None, request: Ask) -> Any:
    """The first output, or the text."""
    if answer is None:
        return None
    body, head = answer
    try:
        if request.spec.text:
            return str(msgspec.json.decode(body)["text_output"])
        import tritonclient.http as triton

        result = triton.InferenceServerClient.parse_response_body(body, header_length=head)
        return result.as_numpy(result.get_response()["outputs"][0]["name"])
    except Exception:  # what a broken server answers may be anything; it is no answer
        return None


class _Line:
    """A connection to one colour that is kept."""

    def __init__(self, url: str, timeout_ms: float):
        self.where, self.timeout_s = urlsplit(url), timeout_ms / 1000
        self.connection: http.client.HTTPConnection | None = None

    def ask(self, path: str, body: bytes, headers: dict[str, str]) -> tuple[tuple[bytes, int | None] | None, float]:
        """The body of its answer and the length of its head, None where there is none; and how long it took, in milliseconds."""
        began = time.monotonic()
        try:
            if self.connection is None:
                self.connection = http.client.HTTPConnection(str(self.where.hostname), self.where.port, timeout=self.timeout_s)
            self.connection.request("POST", path, body, headers)
            answer = self.connection.getresponse()
            data = answer.read()
            head = answer.headers.get("inference-header-content-length")
            found = (data, int(head) if head else None) if answer.status == 200 else None
            if answer.will_close:
                self._close()
        except (OSError, http.client.HTTPException, ValueError):
            self._close()
            found = None
        return found, 1000 * (time.monotonic() - began)

    def _close(self) -> None:
        if self.connection is not None:
            self.connection.close()
        self.connection = None
