"""The worker's side of the tests behind a server: public and plain HTTP clients, and a session to compare their answers with.

A process of its own, since tritonclient's event loop is nothing to have in the parent, and the session may crash.
"""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from gatekeeper.errors import NotMeasured
from gatekeeper.frameworks._base import framework
from gatekeeper.process import protocol

if TYPE_CHECKING:
    from gatekeeper.frameworks._base import Session, TextSession

TIMEOUT_S = 60.0
PROMPT_TOKENS, NEW_TOKENS = 24, 12
PROMPTS = ("The quick brown fox", "def main():\n    ", "Grüße aus Köln: ")
TRAFFIC_FEEDS = 4
MOST_SENT = 50_000
MAX_SAID = 200


def answer_client(request: protocol.Exchange | protocol.Converse | protocol.Traffic) -> protocol.Exchanged | protocol.Trafficked:
    """What one of these requests asks for."""
    session = framework(request.framework).open_session(Path(request.artifact), request.threads, request.device)
    match request:
        case protocol.Exchange():
            return exchange(request, session)
        case protocol.Converse():
            return converse(request, session)
        case protocol.Traffic():
            return traffic(request, session)


def feeds_of(request: protocol.Reach) -> list[dict[str, Any]]:
    """The feeds of an .npz; of a text model, the beginnings of its prompts."""
    import numpy as np

    with np.load(request.inputs) as arrays:
        whole = {name: arrays[name] for name in arrays.files}
    if request.text is not None:
        return [{"tokens": np.ascontiguousarray(row[None, :PROMPT_TOKENS])} for row in whole["tokens"]]
    return [{name: array[i] for name, array in whole.items()} for i in range(len(next(iter(whole.values()))))]


def exchange(request: protocol.Exchange, session: Session) -> protocol.Exchanged:
    """Every feed as binary tensors and as JSON, through tritonclient."""
    import tritonclient.http as triton
    from tritonclient.utils import InferenceServerException

    feeds: Iterator[dict[str, Any]] = islice(iter(feeds_of(request)), request.most)
    count = min(request.most, len(feeds_of(request)))
    if request.dataset is not None and request.text is None:
        from gatekeeper.data.prepared import PreparedDataset

        data = PreparedDataset(Path(request.dataset))
        whole = data.contents.examples // request.batch  # a last, smaller batch does not fit a model that fixes it
        feeds, count = chain(feeds, (data.batch(i, request.batch) for i in range(whole))), count + whole
    done = {True: 0, False: 0}
    unsaid, json_s = 0, 0.0
    address = request.url.removeprefix("http://")
    with triton.InferenceServerClient(address, network_timeout=TIMEOUT_S, connection_timeout=TIMEOUT_S) as client:
        for feed in feeds:
            expected = _arrays(session.run(feed))
            for binary in (True, False):
                if not binary and json_s > request.json_s:
                    continue
                start = time.monotonic()
                try:
                    found = _infer(triton, client, request.name, feed, session.outputs, binary)
                except (InferenceServerException, OSError, ValueError) as error:
                    if not binary and not all(_sayable(array) for array in expected):
                        unsaid += 1
                        continue
                    said = " ".join(str(error).split())[:MAX_SAID]
                    return protocol.Exchanged(wrong=f"example {done[True]}, {_form(binary)}: no answer: {said}", asked=count)
                finally:
                    json_s += 0.0 if binary else time.monotonic() - start
                if wrong := _unlike(found, expected, session.outputs):
                    return protocol.Exchanged(wrong=f"example {done[True]}, {_form(binary)}: {wrong}", asked=count)
                done[binary] += 1
    return protocol.Exchanged(binary=done[True], json=done[False], unsaid=unsaid, asked=count)


def _form(binary: bool) -> str:
    return "as binary tensors" if binary else "as JSON"


def _infer(triton: Any, client: Any, name: str, feed: dict[str, Any], outputs: tuple[str, ...], binary: bool) -> list[Any]:
    from tritonclient.utils import np_to_triton_dtype

    given = []
    for key, array in feed.items():
        texts = array.dtype.kind in "OU"
        array = array.astype(object) if texts else array
        tensor = triton.InferInput(key, list(array.shape), "BYTES" if texts else np_to_triton_dtype(array.dtype))
        tensor.set_data_from_numpy(array, binary_data=binary)
        given.append(tensor)
    wanted = [triton.InferRequestedOutput(output, binary_data=binary) for output in outputs]
    answer = client.infer(name, given, outputs=wanted)
    return [answer.as_numpy(output) for output in outputs]


def _arrays(answer: list[Any]) -> list[Any]:
    import numpy as np

    return [np.asarray(each) for each in answer]


def _sayable(array: Any) -> bool:
    import numpy as np

    return array.dtype.kind != "f" or bool(np.isfinite(array).all())


def _unlike(found: list[Any], expected: list[Any], names: tuple[str, ...]) -> str:
    """What differs first; empty where every output has the same type, shape and bits."""
    for name, ours, theirs in zip(names, found, expected, strict=True):
        if ours is None:
            return f"the output {name} is missing"
        if theirs.dtype.kind in "OU":
            if [_as_text(each) for each in ours.ravel()] != [str(each) for each in theirs.ravel()]:
                return f"the output {name} is another text"
        elif (ours.dtype, ours.shape) != (theirs.dtype, theirs.shape):
            return f"the output {name} is {ours.dtype}{list(ours.shape)}, and the session's {theirs.dtype}{list(theirs.shape)}"
        elif ours.tobytes() != theirs.tobytes():
            return f"the output {name} differs from the session's"
    return ""


def _as_text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def converse(request: protocol.Converse, session: Session) -> protocol.Exchanged:
    """Texts written by the server, whole and in pieces, beside what the session writes greedily."""
    import numpy as np

    from gatekeeper.evaluate.text.tokenizer import open_tokenizer

    assert request.text is not None
    tokenizer = open_tokenizer(Path(request.text.model), request.text.framework)
    done = 0
    for prompt in PROMPTS:
        feed = {"tokens": np.asarray(tokenizer.encode(prompt), np.int64), "new_tokens": np.int64(NEW_TOKENS)}
        written: list[int] = []
        for token in cast("TextSession", session).generate(feed):
            if token in request.text.end:
                break
            written.append(int(token))
        expected = tokenizer.decode(written)
        body = json.dumps({"text_input": prompt, "parameters": {"max_tokens": NEW_TOKENS}}).encode()
        for way in ("generate", "generate_stream"):
            status, data = _post(request.url, f"/v2/models/{request.name}/{way}", body)
            if status != 200:
                said = data[:MAX_SAID].decode("utf-8", "replace")
                return protocol.Exchanged(wrong=f"{way} after {prompt!r}: {status}: {said}", asked=len(PROMPTS))
            text = _whole(data) if way == "generate_stream" else json.loads(data)["text_output"]
            if text != expected:
                wrong = f"{way} after {prompt!r}: {text[:60]!r}, and the session writes {expected[:60]!r}"
                return protocol.Exchanged(wrong=wrong, asked=len(PROMPTS))
        done += 1
    return protocol.Exchanged(json=done, asked=len(PROMPTS))


def _whole(events: bytes) -> str:
    """The text of server-sent events."""
    parts = [json.loads(line.removeprefix(b"data:")) for line in events.splitlines() if line.startswith(b"data:")]
    return "".join(part.get("text_output", "") for part in parts)


def _post(url: str, path: str, body: bytes) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=TIMEOUT_S)
    try:
        connection.request("POST", path, body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def traffic(request: protocol.Traffic, session: Session) -> protocol.Trafficked:
    """Each caller sends one request after another on a connection it keeps."""
    from gatekeeper.serve.tensors import SIZE_HEADER

    prepared = []
    for feed in feeds_of(request)[:TRAFFIC_FEEDS]:
        head, body = _binary(feed, session.outputs)
        headers = {"Content-Type": "application/octet-stream", SIZE_HEADER: str(head)}
        prepared.append((headers, body, _arrays(session.run(feed))))
    end = time.monotonic() + request.seconds
    sent: list[protocol.Sent] = []

    def call(caller: int) -> None:
        turn, connection = caller, None
        while time.monotonic() < end and len(sent) < MOST_SENT:
            headers, body, expected = prepared[turn % len(prepared)]
            turn += 1
            began = time.monotonic_ns()
            try:
                connection = connection or _connected(request.url)
            except OSError as error:
                sent.append(protocol.Sent(began, time.monotonic_ns(), "unreached", type(error).__name__))
                time.sleep(0.02)
                continue
            try:
                connection.request("POST", f"/v2/models/{request.name}/infer", body, headers)
                answer = connection.getresponse()
                data = answer.read()
            except (OSError, http.client.HTTPException) as error:
                sent.append(protocol.Sent(began, time.monotonic_ns(), "lost", type(error).__name__))
                connection.close()
                connection = None
                continue
            sent.append(_judged(began, answer, data, expected, session.outputs))
            if answer.will_close:
                connection.close()
                connection = None
            if answer.status == 503:
                time.sleep(0.02)
        if connection:
            connection.close()

    Path(request.started).touch()
    threads = [threading.Thread(target=call, args=(i,)) for i in range(request.callers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return protocol.Trafficked(sent=sent)


def _connected(url: str) -> http.client.HTTPConnection:
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=TIMEOUT_S)
    connection.connect()
    return connection


def _judged(
    began: int, answer: http.client.HTTPResponse, data: bytes, expected: list[Any], names: tuple[str, ...]
) -> protocol.Sent:
    ended = time.monotonic_ns()
    if answer.status == 503:
        return protocol.Sent(began, ended, "refused")
    if answer.status != 200:
        said = data[:MAX_SAID].decode("utf-8", "replace")
        return protocol.Sent(began, ended, "failed", f"{answer.status}: {said}")
    try:
        wrong = _unlike(_read_binary(answer, data, names), expected, names)
    except (ValueError, KeyError, TypeError) as error:
        wrong = f"an answer that cannot be read: {type(error).__name__}"
    return protocol.Sent(began, ended, "wrong" if wrong else "right", wrong)


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
    found: dict[str, Any] = {}
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
            found[output["name"]] = np.array(texts, dtype=object).reshape(output["shape"])
        elif output["datatype"] == "BOOL":
            found[output["name"]] = np.frombuffer(blob, np.uint8).astype(bool).reshape(output["shape"])
        else:
            found[output["name"]] = np.frombuffer(blob, NUMPY[output["datatype"]]).reshape(output["shape"])
    if at != len(data):
        raise NotMeasured("garbage", "bytes follow the last tensor of an answer")
    return [found.get(name) for name in names]
