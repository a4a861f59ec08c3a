"""Texts that a server writes, whole and as a stream, compared with what a session of the same model writes."""

from __future__ import annotations

import http.client
import json
from pathlib import Path
from typing import TYPE_CHECKING, cast

from gatekeeper.checks.integration.client.exchange import Exchanged
from gatekeeper.checks.integration.client.reach import MAX_SAID, TIMEOUT_S, Reach
from gatekeeper.frameworks._base import whole
from gatekeeper.frameworks._spec import open_session
from gatekeeper.process.messages import Held

if TYPE_CHECKING:
    from gatekeeper.frameworks._base import Session, TextSession

NEW_TOKENS = 12
PROMPTS = ("The quick brown fox", "def main():\n    ", "Grüße aus Köln: ")


class Converse(Reach, frozen=True, kw_only=True):
    """Have texts written over HTTP, whole and as a stream, and compare them with what the session writes."""

    def answer(self, held: Held) -> Exchanged:
        """Have them written."""
        return converse(self, open_session(self.spec))


def converse(request: Converse, session: Session) -> Exchanged:
    """Texts written by the server, whole and in pieces, beside what the session writes greedily."""
    import numpy as np

    from gatekeeper.evaluate.text.tokenizer import open_tokenizer

    about = request.spec.text
    assert about is not None
    tokenizer = open_tokenizer(Path(about.model), about.framework)
    done = 0
    for prompt in PROMPTS:
        feed = {"tokens": np.asarray(whole(tokenizer, prompt), np.int64), "new_tokens": np.int64(NEW_TOKENS)}
        written: list[int] = []
        for token in cast("TextSession", session).generate(feed):
            if token in about.end:
                break
            written.append(int(token))
        expected = tokenizer.decode(written)
        body = json.dumps({"text_input": prompt, "parameters": {"max_tokens": NEW_TOKENS}}).encode()
        for way in ("generate", "generate_stream"):
            status, data = _post(request.url, f"/v2/models/{request.name}/{way}", body)
            if status != 200:
                said = data[:MAX_SAID].decode("utf-8", "replace")
                return Exchanged(wrong=f"{way} after {prompt!r}: {status}: {said}", asked=len(PROMPTS))
            text = _whole(data) if way == "generate_stream" else json.loads(data)["text_output"]
            if text != expected:
                wrong = f"{way} after {prompt!r}: {text[:60]!r}, and the session writes {expected[:60]!r}"
                return Exchanged(wrong=wrong, asked=len(PROMPTS))
        done += 1
    return Exchanged(json=done, asked=len(PROMPTS))


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
