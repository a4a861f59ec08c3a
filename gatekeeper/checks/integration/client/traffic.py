"""Requests from several callers at once, while something is done to the server: what became of each."""

from __future__ import annotations

import http.client
import json
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from gatekeeper.checks.integration.client.reach import MAX_SAID, TIMEOUT_S, Reach, plain, unlike
from gatekeeper.errors import NotMeasured
from gatekeeper.frameworks._spec import open_session
from gatekeeper.process.messages import Answer, Held

if TYPE_CHECKING:
    from gatekeeper.frameworks._base import Session

FEEDS = 4
MOST_SENT = 50_000


class Traffic(Reach, frozen=True, kw_only=True):
    """Send requests from several callers at once for a while; the file `started` appears when the first is about to go."""

    callers: int
    seconds: float
    started: str

    def answer(self, held: Held) -> Trafficked:
        """Send them."""
        return traffic(self, open_session(self.spec))


class Sent(msgspec.Struct, frozen=True, array_like=True):
    """One request of the traffic. Times are of the monotonic clock, which all processes of a machine share."""

    began_ns: int
    ended_ns: int
    outcome: Literal["right", "wrong", "refused", "failed", "lost", "unreached"]
    said: str = ""


class Trafficked(Answer, frozen=True, kw_only=True):
    """What became of each request."""

    sent: list[Sent]


def traffic(request: Traffic, session: Session) -> Trafficked:
    """Each caller sends one request after another on a connection it keeps."""
    from gatekeeper.serve.tensors import SIZE_HEADER

    prepared = []
    for feed in request.feeds()[:FEEDS]:
        head, body = _binary(feed, session.outputs)
        headers = {"Content-Type": "application/octet-stream", SIZE_HEADER: str(head)}
        prepared.append((headers, body, plain(session.run(feed))))
    end = time.monotonic() + request.seconds
    sent: list[Sent] = []

    def note(one: Sent) -> None:
        """What becomes of the first one says that there is traffic: on a busy machine that takes a while."""
        sent.append(one)
        if len(sent) <= request.callers:
            Path(request.started).touch()

    def call(caller: int) -> None:
        turn, connection = caller, None
        while time.monotonic() < end and len(sent) < MOST_SENT:
            headers, body, expected = prepared[turn % len(prepared)]
            turn += 1
            began = time.monotonic_ns()
            try:
                connection = connection or _connected(request.url)
            except OSError as error:
                note(Sent(began, time.monotonic_ns(), "unreached", type(error).__name__))
                time.sleep(0.02)
                continue
            try:
                connection.request("POST", f"/v2/models/{request.name}/infer", body, headers)
                answer = connection.getresponse()
                data = answer.read()
            except (OSError, http.client.HTTPException) as error:
                note(Sent(began, time.monotonic_ns(), "lost", type(error).__name__))
                connection.close()
                connection = None
                continue
            note(_judged(began, answer, data, expected, session.outputs))
            if answer.will_close:
                connection.close()
                connection = None
            if answer.status == 503:
                time.sleep(0.02)
        if connection:
            connection.close()

    threads = [threading.Thread(target=call, args=(i,)) for i in range(request.callers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return Trafficked(sent=sent)


def _connected(url: str) -> http.client.HTTPConnection:
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=TIMEOUT_S)
    connection.connect()
    return connection


def _judged(began: int, answer: http.client.HTTPResponse, data: bytes, expected: list[Any], names: tuple[str, ...]) -> Sent:
    ended = time.monotonic_ns()
    if answer.status == 503:
        return Sent(began, ended, "refused")
    if answer.status != 200:
        said = data[:MAX_SAID].decode("utf-8", "replace")
        return Sent(began, ended, "failed", f"{answer.status}: {said}")
    try:
        wrong = unlike(_read_binary(answer, data, names), expected, names)
    except (ValueError, KeyError, TypeError) as error:
        wrong = f"an answer that cannot be read: {type(error).__name__}"
    return Sent(began, ended, "wrong" if wrong else "right", wrong)


def _binary(feed: dict[str, Any], outputs: tuple[str, ...]) -> tuple[int, bytes]:
    """A request with binary tensors: the length of its JSON, and the whole body."""
    import numpy as np

    from gatekeeper.serve.tensors import PROTOCOL

    inputs, blobs = [], []
    for name, array in feed.items():
        if array.dtype.kind in "OU":
            texts = [str(each).encode() for each in array.ravel()]
            blob, datatype = b"".join(len(text).to_bytes(4, "little") + text for text in texts), "BYTES"
        else:
            dtype = array.dtype.newbyteorder("<")
            blob, datatype = np.ascontiguousarray(array, dtype).tobytes(), PROTOCOL[dtype]
        about = {"name": name, "shape": list(array.shape), "datatype": datatype}
        inputs.append(about | {"parameters": {"binary_data_size": len(blob)}})
        blobs.append(blob)
    wanted = [{"name": output, "parameters": {"binary_data": True}} for output in outputs]
    head = json.dumps({"inputs": inputs, "outputs": wanted}).encode()
    return len(head), head + b"".join(blobs)


def _read_binary(answer: http.client.HTTPResponse, data: bytes, names: tuple[str, ...]) -> list[Any]:
    import numpy as np

    from gatekeeper.serve.tensors import NUMPY, SIZE_HEADER

    size = int(answer.headers[SIZE_HEADER])
    said, at = json.loads(data[:size]), size
    outputs: dict[str, Any] = {}
    for output in said["outputs"]:
        length = output["parameters"]["binary_data_size"]
        blob, at = data[at : at + length], at + length
        if len(blob) != length:
            raise ValueError("cut short")
        if output["datatype"] == "BYTES":
            texts, i = [], 0
            while i < length:
                end = i + 4 + int.from_bytes(blob[i : i + 4], "little")
                texts.append(blob[i + 4 : end])
                i = end
            outputs[output["name"]] = np.array(texts, dtype=object).reshape(output["shape"])
        elif output["datatype"] == "BOOL":
            outputs[output["name"]] = np.frombuffer(blob, np.uint8).astype(bool).reshape(output["shape"])
        else:
            outputs[output["name"]] = np.frombuffer(blob, NUMPY[output["datatype"]]).reshape(output["shape"])
    if at != len(data):
        raise NotMeasured("garbage", "bytes follow the last tensor of an answer")
    return [outputs.get(name) for name in names]
