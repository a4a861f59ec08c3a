"""Examples over HTTP with tritonclient, each compared with what a session of the same model answers."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatekeeper.checks.integration.client.reach import MAX_SAID, TIMEOUT_S, Reach, plain, unlike
from gatekeeper.frameworks._spec import open_session
from gatekeeper.process.messages import Answer, Held

if TYPE_CHECKING:
    from gatekeeper.frameworks._base import Session


class Exchange(Reach, frozen=True, kw_only=True):
    """Send examples over HTTP with a public client, as binary tensors and as JSON, and compare the answers exactly."""

    dataset: str | None  # a prepared folder; else only `inputs`
    batch: int
    most: int  # feeds of `inputs` at most
    json_s: float  # JSON of large tensors is slow: no more of it after so many seconds

    def answer(self, held: Held) -> Exchanged:
        """Send them."""
        return exchange(self, open_session(self.spec))


class Exchanged(Answer, frozen=True, kw_only=True):
    """How many requests were answered as the session answers; `wrong` says what the first that was not is."""

    binary: int = 0
    json: int = 0
    unsaid: int = 0  # answers with NaN or infinity, which JSON cannot say
    asked: int = 0  # requests there are
    wrong: str = ""


def exchange(request: Exchange, session: Session) -> Exchanged:
    """Every feed as binary tensors and as JSON, through tritonclient."""
    import tritonclient.http as triton
    from tritonclient.utils import InferenceServerException

    given = request.feeds()[: request.most]
    feeds: Iterator[dict[str, Any]] = iter(given)
    count = len(given)
    if request.dataset is not None and request.spec.text is None:
        from gatekeeper.data.prepared import PreparedDataset

        data = PreparedDataset(Path(request.dataset))
        whole = data.contents.examples // request.batch  # a last, smaller batch does not fit a model that fixes it
        feeds, count = chain(feeds, (data.batch(i, request.batch) for i in range(whole))), count + whole
    done = {True: 0, False: 0}
    unsaid, json_s = 0, 0.0
    address = request.url.removeprefix("http://")
    with triton.InferenceServerClient(address, network_timeout=TIMEOUT_S, connection_timeout=TIMEOUT_S) as client:
        for feed in feeds:
            expected = plain(session.run(feed))
            for binary in (True, False):
                if not binary and json_s > request.json_s:
                    continue
                start = time.monotonic()
                try:
                    answered = _infer(triton, client, request.name, feed, session.outputs, binary)
                except (InferenceServerException, OSError, ValueError) as error:
                    if not binary and not all(_sayable(array) for array in expected):
                        unsaid += 1
                        continue
                    said = " ".join(str(error).split())[:MAX_SAID]
                    return Exchanged(wrong=f"example {done[True]}, {_form(binary)}: no answer: {said}", asked=count)
                finally:
                    json_s += 0.0 if binary else time.monotonic() - start
                if wrong := unlike(answered, expected, session.outputs):
                    return Exchanged(wrong=f"example {done[True]}, {_form(binary)}: {wrong}", asked=count)
                done[binary] += 1
    return Exchanged(binary=done[True], json=done[False], unsaid=unsaid, asked=count)


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


def _sayable(array: Any) -> bool:
    import numpy as np

    return array.dtype.kind != "f" or bool(np.isfinite(array).all())
