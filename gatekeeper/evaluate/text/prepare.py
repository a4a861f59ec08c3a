"""From a text file to windows of token ids, the same for every framework, and prompts whose answers are known."""

from __future__ import annotations

from pathlib import Path

import msgspec

from gatekeeper.config.sections.dataset import Dataset
from gatekeeper.data.draw import evenly
from gatekeeper.data.overlap import write_lines
from gatekeeper.data.prepared import write_prepared
from gatekeeper.errors import NotMeasured
from gatekeeper.evaluate.prepare import Prepare, Prepared
from gatekeeper.evaluate.text.asked import Asked, Prompt, write_asked
from gatekeeper.evaluate.text.chat import conversation
from gatekeeper.evaluate.text.corrupt import corrupt_rows
from gatekeeper.evaluate.text.rows import SUFFIXES, Row, read_rows
from gatekeeper.evaluate.text.tokenizer import check_round_trip, open_tokenizer
from gatekeeper.frameworks._base import Tokenizer, whole

WINDOWS = 500
SPARE_TOKENS = 8
"""An answer may take a few tokens more in the model's own words than as it was tokenized here."""
TO_CONTAIN = 128
"""Tokens in which an answer must come up that need not be all that is written."""


def prepare_text(request: Prepare) -> Prepared:
    """Tokenize, cut into windows and write one dataset; `tokens` has shape [windows, window].

    Every window begins as the tokenizer's template begins a text: that is where the model was trained to begin.
    """
    import numpy as np

    assert request.text is not None
    dataset, path = msgspec.convert(request.dataset, Dataset), Path(request.path or "")
    if request.path is None:
        raise NotMeasured("data", f"{dataset.loader}: text_generation reads {' and '.join(SUFFIXES)} files.")
    context = request.text.context
    if context and dataset.window > context:
        raise NotMeasured("data", f"dataset.window is {dataset.window}, and the model knows {context} tokens. Lower it.")
    rows, folder = read_rows(path), Path(request.destination)
    if request.corruption is not None:
        rows = corrupt_rows(folder, rows, dataset.metric, request.corruption, request.seed)
    tokenizer = open_tokenizer(Path(request.text.model), request.text.framework)
    asked = {i: _prompt(tokenizer, row) for i, row in enumerate(rows) if not row.text}
    text = "\n".join(asked[i] + row.right_answer if i in asked else row.text for i, row in enumerate(rows))
    ids = tokenizer.encode(text)
    check_round_trip(tokenizer, text, ids, request.text.vocabulary, path.name)
    room = dataset.window - len(tokenizer.before)
    count = len(ids) // room if room > 1 else 0
    if not count:
        raise NotMeasured(
            "data",
            f"{path}: {len(ids)} tokens are less than one window of {dataset.window}. Add text, or lower `dataset.window`.",
        )
    windows = np.asarray(ids[: count * room], dtype=np.int64).reshape(count, room)
    kept = min(dataset.limit or WINDOWS, count)
    windows = windows[np.linspace(0, count - 1, kept).round().astype(int)]  # spread over the whole text
    begun = np.tile(np.asarray(tokenizer.before, dtype=np.int64), (kept, 1))
    contents = write_prepared(folder, {"tokens": np.concatenate([begun, windows], axis=1)}, None)
    write_lines(folder, text)
    drawn = [list(asked)[i] for i in evenly(len(asked), dataset.limit or len(asked))] if asked else []
    prompts = [_question(tokenizer, rows[i], asked[i], dataset, context) for i in drawn]
    write_asked(
        folder,
        Asked(
            prompts=prompts,
            before=tokenizer.before,
            generations=dataset.generations,
            temperature=dataset.temperature,
            seed=dataset.seed,
        ),
    )
    return Prepared(examples=contents.examples, labelled=True)


def _prompt(tokenizer: Tokenizer, row: Row) -> str:
    """What is asked, as text."""
    return conversation(tokenizer.chat, row.messages, row.place) if row.messages else row.prompt


def _question(tokenizer: Tokenizer, row: Row, prompt: str, dataset: Dataset, context: int) -> Prompt:
    """What is asked, as the model is given it. A conversation's template puts around it itself what is to be there."""
    if row.choices:
        found = _choices(tokenizer, row, prompt)
    else:
        tokens = tokenizer.encode(prompt) if row.messages else whole(tokenizer, prompt)
        least = len(tokenizer.encode(row.answer)) + SPARE_TOKENS
        most = max(least, TO_CONTAIN) if dataset.metric == "contains" else least
        found = Prompt(name=row.name, tokens=tokens, answer=row.answer.strip(), new_tokens=dataset.new_tokens or most)
    if not found.tokens:
        raise NotMeasured("data", f"{row.place}: the prompt {prompt[:40]!r} has no tokens. Remove it.")
    needed = len(found.tokens) + max(found.new_tokens, *map(len, found.choices), 0)
    if context and needed > context:
        raise NotMeasured(
            "data",
            f"{row.place}: the prompt of {len(found.tokens)} tokens and its answer take {needed}, and the model knows {context}. "
            "Shorten it, or lower `dataset.new_tokens`.",
        )
    return found


def _choices(tokenizer: Tokenizer, row: Row, prompt: str) -> Prompt:
    """Each choice as the tokens that it adds to the prompt's, as lm-evaluation-harness splits them.

    White space at the end of a prompt belongs to the choices, as tokenizers join it to the word that follows. Where one joins
    more, the choices begin with what they do not share.
    """
    begin = [] if row.messages else tokenizer.before
    alone = [*begin, *tokenizer.encode(prompt.rstrip())]
    wholes = [[*begin, *tokenizer.encode(prompt + choice)] for choice in row.choices]
    shared = next((i for i, each in enumerate(zip(alone, *wholes, strict=False)) if len(set(each)) > 1), len(alone))
    shared = min(shared, *map(len, wholes))
    choices = [tokens[shared:] for tokens in wholes]
    if not all(choices):
        raise NotMeasured("data", f"{row.place}: a choice adds no token to the prompt. Write it as it is to be read.")
    lengths = [len(choice.strip()) for choice in row.choices]
    return Prompt(name=row.name, tokens=alone[:shared], choices=choices, lengths=lengths, right=row.right)
