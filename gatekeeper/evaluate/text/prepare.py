"""From a text file to windows of token ids, the same for every framework, and prompts whose answers are known."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec

from gatekeeper.config.sections.dataset import Dataset
from gatekeeper.data.draw import evenly
from gatekeeper.data.overlap import write_lines
from gatekeeper.data.prepared import write_prepared
from gatekeeper.errors import NotMeasured
from gatekeeper.evaluate.prepare import Prepare, Prepared
from gatekeeper.evaluate.text.tokenizer import check_round_trip, open_tokenizer
from gatekeeper.frameworks._base import Tokenizer

WINDOWS = 500
MAX_BYTES = 64 << 20
SUFFIXES = (".txt", ".jsonl")


class Prompt(msgspec.Struct, frozen=True):
    """A question with one right answer: the tokens of both, and the answer as text."""

    tokens: list[int]
    answer_tokens: int
    answer: str


def prepare_text(request: Prepare) -> Prepared:
    """Tokenize, cut into windows and write one dataset; `tokens` has shape [windows, window]."""
    import numpy as np

    assert request.text is not None
    dataset, path = msgspec.convert(request.dataset, Dataset), Path(request.path or "")
    if request.path is None or path.suffix.lower() not in SUFFIXES:
        raise NotMeasured("data", f"{request.path or dataset.loader}: text_generation reads {' and '.join(SUFFIXES)} files.")
    if request.text.context and dataset.window > request.text.context:
        raise NotMeasured(
            "data", f"dataset.window is {dataset.window}, and the model knows {request.text.context} tokens. Lower it."
        )
    text, questions = _read(path)
    tokenizer = open_tokenizer(Path(request.text.model), request.text.framework)
    ids = tokenizer.encode(text)
    check_round_trip(tokenizer, text, ids, request.text.vocabulary, path.name)
    whole = len(ids) // dataset.window
    if not whole:
        raise NotMeasured(
            "data",
            f"{path}: {len(ids)} tokens are less than one window of {dataset.window}. Add text, or lower `dataset.window`.",
        )
    windows = np.asarray(ids[: whole * dataset.window], dtype=np.int64).reshape(whole, dataset.window)
    kept = min(dataset.limit or WINDOWS, whole)
    windows = windows[np.linspace(0, whole - 1, kept).round().astype(int)]  # spread over the whole text
    folder = Path(request.destination)
    contents = write_prepared(folder, {"tokens": windows}, None)
    write_lines(folder, text)
    asked = [questions[i] for i in evenly(len(questions), dataset.limit or len(questions))] if questions else []
    prompts = [_prompt(tokenizer, question, answer) for question, answer in asked]
    (folder / "prompts.json").write_bytes(msgspec.json.encode(prompts))
    return Prepared(examples=contents.examples, labelled=True)


def read_prompts(dataset: Path) -> list[Prompt]:
    """The prompts of a prepared folder; empty for plain text."""
    return msgspec.json.decode((dataset / "prompts.json").read_bytes(), type=list[Prompt])


def _read(path: Path) -> tuple[str, list[tuple[str, str]]]:
    """The text of a file, and (prompt, answer) of the lines that have them."""
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise NotMeasured("data", f"{path}: {size >> 20} MiB of text; at most {MAX_BYTES >> 20} are read. Take a part of it.")
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise NotMeasured("data", f"{path}: not UTF-8 (byte {error.start}). Save it as UTF-8.") from None
    if path.suffix.lower() == ".txt":
        return text, []
    lines = [_line(path, number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    questions = [(line["prompt"], line["answer"]) for line in lines if "prompt" in line]
    return "\n".join(line.get("text") or line["prompt"] + line["answer"] for line in lines), questions


def _line(path: Path, number: int, line: str) -> dict[str, str]:
    try:
        record: Any = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise NotMeasured("data", f"{path}:{number}: not JSON ({error}). Write one object on each line.") from None
    texts = {k: v for k, v in record.items() if isinstance(v, str)} if isinstance(record, dict) else {}
    if texts.keys() >= {"prompt", "answer"} and texts["prompt"] and texts["answer"].strip():
        return {"prompt": texts["prompt"], "answer": texts["answer"]}
    if "prompt" in texts and "answer" in texts:
        blank = "answer" if texts["prompt"] else "prompt"
        raise NotMeasured("data", f"{path}:{number}: the {blank} is blank. Write one, or remove the line.")
    if texts.get("text"):
        return {"text": texts["text"]}
    has = ", ".join(map(str, record)) if isinstance(record, dict) else type(record).__name__
    raise NotMeasured(
        "data", f"{path}:{number}: needs the text `text`, or `prompt` and `answer` (it has {has or 'nothing'}). Add them."
    )


def _prompt(tokenizer: Tokenizer, prompt: str, answer: str) -> Prompt:
    tokens = tokenizer.encode(prompt)
    if not tokens:
        raise NotMeasured("data", f"the prompt {prompt[:40]!r} has no tokens. Remove it.")
    return Prompt(tokens=tokens, answer_tokens=len(tokenizer.encode(answer)), answer=answer.strip())
