"""What is asked of models that write text: tokens they know, prompts of every length, and text that survives its tokens."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatekeeper.checks.outcome import Broken, NoStandard, Skipped
from gatekeeper.checks.unit.base import Case, Seen
from gatekeeper.checks.unit.compare import AFTERWARDS, BEFORE, TIMES, close, distance, same, still_answers

if TYPE_CHECKING:
    from gatekeeper.checks.unit.lab import Lab, TrialLog
    from gatekeeper.frameworks._base import Tokenizer
    from gatekeeper.frameworks._spec import TextSpec

LONGEST_S, TRIED = 20.0, 5
UNLIKELY = 0.05
"""A prompt computed at once and one token at a time round differently: two nearly equal logits may change places."""
TEXTS = (
    "The quick brown fox.\n\tdef f(x): return x ** 2  # 3.14\n",
    "Grüße aus Köln: 20 °C, 3 € für Äpfel; naïve façade",
    "日本語のテキスト, 中文字符, 한국어",
    "👩‍👩‍👧 🏳️‍🌈 👍🏽 é (e + U+0301)",
    "مرحبا بالعالم, שלום עולם, हिन्दी, ไทย",
    "𝕳𝖊𝖑𝖑𝖔 \U0001f980 \u200b|\u00a0|\ufeff|",
)


def _text(lab: Lab) -> TextSpec:
    assert lab.text is not None
    return lab.text


def _prompt(lab: Lab) -> Any:
    return lab.feeds[0]["tokens"][0]


def _vocabulary(lab: Lab, log: TrialLog) -> None:
    """Every id at the edges of the vocabulary, those that end a text among them."""
    import numpy as np

    text = _text(lab)
    log.numbers |= {"vocabulary": float(text.vocabulary)} | {f"end {token}": 1.0 for token in text.end}
    edges = [0, 1, text.vocabulary - 1, *text.end]
    log.run("ids at the edges of the vocabulary", {"tokens": np.array([edges], dtype=np.int64)})
    log.generate("tokens", _prompt(lab))


def _judge_vocabulary(variant: Seen, original: Seen) -> str:
    import numpy as np

    vocabulary = int(original.numbers["vocabulary"])
    answered = variant.answer("ids at the edges of the vocabulary")
    expected = original.answer("ids at the edges of the vocabulary", NoStandard)
    for name, array in expected.outputs.items():
        logits = answered.outputs.get(name)
        if logits is None or logits.shape[-1] < vocabulary or logits.shape[:2] != array.shape[:2]:
            raise Broken(f"its logits have shape {None if logits is None else logits.shape} for {vocabulary} kinds of token")
        if not np.isfinite(logits[..., :vocabulary]).all():
            raise Broken("its logits hold NaN or infinite values")
    unknown = [key[4:] for key in variant.numbers if key.startswith("end ") and not 0 <= int(key[4:]) < vocabulary]
    if unknown:
        raise Broken(f"the token {unknown[0]}, which ends a text, is not in its vocabulary of {vocabulary}")
    written = variant.answer("tokens").outputs["new tokens"]
    if not (len(written) and (written >= 0).all() and (written < vocabulary).all()):
        raise Broken(f"it writes the tokens {written.tolist()}, with a vocabulary of {vocabulary}")
    ends = sum(key.startswith("end ") for key in variant.numbers)
    return f"{vocabulary} kinds of token; {ends} that end a text are among them"


def _prefixes(lab: Lab, log: TrialLog) -> None:
    """A whole prompt, and the beginnings of it, as rows of one length each."""
    tokens = lab.feeds[0]["tokens"]
    whole = lab.session.run({"tokens": tokens})
    for length in sorted({1, 2, 3, max(1, tokens.shape[1] // 2), tokens.shape[1]}):
        log.run(f"the first {length} tokens", {"tokens": tokens[:, :length]})
        log.keep(f"the same {length} of the whole prompt", lab.session.outputs, [array[:, :length] for array in whole])


def _judge_prefixes(variant: Seen, original: Seen) -> str:
    alone = [label for label in variant.trials if label.startswith("the first")]
    pairs = [(label, label.replace("the first", "the same").replace("tokens", "of the whole prompt")) for label in alone]
    return "what comes later changes nothing before it: " + close(variant, original, pairs, alone)


def _greedy(lab: Lab, log: TrialLog) -> None:
    """What is written, and how likely the same session finds each token of it."""
    import numpy as np

    written = log.generate("tokens", _prompt(lab))
    if written:
        whole = np.concatenate([_prompt(lab), np.array(written, np.int64)])[None]
        log.run("logits", {"tokens": whole})
        log.numbers["prompt"] = float(len(_prompt(lab)))


def _judge_greedy(variant: Seen, original: Seen) -> str:
    ours, written = _short(variant, Broken)
    theirs, _ = _short(original, NoStandard)
    allowed = max(UNLIKELY, TIMES * theirs)
    if not ours <= allowed:
        raise Broken(
            f"one of the tokens it writes, {written}, is {ours:.2g} standard deviations of its logits below the likeliest; "
            f"{allowed:.2g} are allowed"
        )
    return f"every token it writes is its likeliest, to {ours:.2g} standard deviations of its logits"


def _short(seen: Seen, failure: type[Exception]) -> tuple[float, list[int]]:
    """How far the tokens written are below the largest logit, in standard deviations; and the tokens."""
    import numpy as np

    written = seen.answer("tokens", failure).outputs["new tokens"]
    logits = next(iter(seen.answer("logits", failure).outputs.values()))[0]
    if not 0 <= written.min() <= written.max() < logits.shape[-1]:
        raise failure(f"it writes the tokens {written.tolist()}, and has logits of {logits.shape[-1]}")
    start = int(seen.numbers["prompt"]) - 1
    rows = logits[start : start + len(written)].astype(np.float64)
    short = rows.max(axis=1) - np.take_along_axis(rows, written[:, None], axis=1)[:, 0]
    return float(short.max() / rows.std()), written.tolist()


def _given_up(lab: Lab, log: TrialLog) -> None:
    """A reader that goes away must not change what the next one gets."""
    log.generate("tokens", _prompt(lab))
    log.generate("given up", _prompt(lab), take=2)
    log.generate("tokens of the next reader", _prompt(lab))


def _judge_given_up(variant: Seen, original: Seen) -> str:
    variant.answer("given up")
    return "the next reader's tokens are " + same(variant, original, [("tokens of the next reader", "tokens")])


def _empty(lab: Lab, log: TrialLog) -> None:
    import numpy as np

    log.run(BEFORE, lab.feeds[0])
    log.run("logits of an empty prompt", {"tokens": np.empty((1, 0), np.int64)})
    log.generate("tokens after an empty prompt", np.empty(0, np.int64))
    log.run(AFTERWARDS, lab.feeds[0])


def _judge_empty(variant: Seen, original: Seen) -> str:
    still_answers(variant, original)
    answered = []
    for label in ("logits of an empty prompt", "tokens after an empty prompt"):
        if not original.trials[label].error:
            variant.answer(label)
            answered.append(label)
    return f"answered as by the original: {' and '.join(answered)}" if answered else "the original answers none; nor need it"


def _seconds(lab: Lab) -> float:
    """Of the first prompt, read whole."""
    start = time.perf_counter()
    lab.session.run(lab.feeds[0])
    return time.perf_counter() - start


def _limit(lab: Lab, log: TrialLog) -> None:
    """The longest prompt the model knows, and one that is too long for it."""
    import numpy as np

    context = _text(lab).context
    if not context:
        raise Skipped("nobody states how many tokens the model knows")
    prompt = _prompt(lab)
    log.generate(BEFORE, prompt)
    needed = min(_seconds(lab) for _ in range(TRIED)) / len(prompt) * context * 2  # one alone may have waited for a core
    if needed > LONGEST_S:
        raise Skipped(f"two prompts of {context} tokens would take about {needed:.0f} s")
    log.generate("at the limit", np.resize(prompt, context - 1), 1)
    log.generate("over the limit", np.resize(prompt, context + 1), 2)
    log.generate("far over the limit", np.resize(prompt, 2 * context), 2)
    log.numbers |= {"context": float(context), "vocabulary": float(_text(lab).vocabulary)}
    log.generate(AFTERWARDS, prompt)


def _judge_limit(variant: Seen, original: Seen) -> str:
    context, vocabulary = (int(variant.numbers[name]) for name in ("context", "vocabulary"))
    still_answers(variant, original)
    if not original.trials["at the limit"].error:
        variant.answer("at the limit")
    said = []
    for label in ("over the limit", "far over the limit"):
        answered = variant.trials[label]
        if not answered.error and not all(0 <= int(token) < vocabulary for token in answered.outputs["new tokens"]):
            raise Broken(f"{label}: it writes the tokens {answered.outputs['new tokens'].tolist()}")
        said.append(f"{label} {'refused' if answered.error else 'answered'}")
    return f"a prompt of {context - 1} tokens is answered; {', '.join(said)}; then it writes as before"


def _unicode(lab: Lab, log: TrialLog) -> None:
    """Text to tokens and back, with the tokenizer in the artifact where it brings one."""
    import numpy as np

    from gatekeeper.evaluate.text.tokenizer import check_round_trip, open_tokenizer

    text = _text(lab)
    tokenizer = _own_tokenizer(lab) or open_tokenizer(Path(text.model), text.framework)
    for i, sample in enumerate(TEXTS):
        try:
            ids = tokenizer.encode(sample)
            check_round_trip(tokenizer, sample, ids, text.vocabulary, "a test's text")
        except Exception as error:
            log.refused(f"text {i}", error)
        else:
            given = [*tokenizer.before, *ids, *tokenizer.after]
            log.keep(f"text {i}", ("ids",), [np.array(given, np.int64)])


def _own_tokenizer(lab: Lab) -> Tokenizer | None:
    from gatekeeper.evaluate.text.tokenizer import open_tokenizer
    from gatekeeper.frameworks._base import framework

    artifact = Path(lab.spec.artifact)
    if artifact.is_dir() and (artifact / "tokenizer.json").is_file():
        return open_tokenizer(artifact, lab.spec.framework)
    files = sorted(artifact.glob("*.gguf")) if artifact.is_dir() else [artifact]
    if len(files) == 1 and files[0].suffix == ".gguf" and hasattr(framework(lab.spec.framework), "open_tokenizer"):
        return open_tokenizer(files[0], lab.spec.framework)
    return None


def _judge_unicode(variant: Seen, original: Seen) -> str:
    lost = 0
    for i, sample in enumerate(TEXTS):
        expected, answered = original.trials[f"text {i}"], variant.trials[f"text {i}"]
        if expected.error:
            lost += 1
            continue
        if answered.error:
            raise Broken(f"{sample.strip()!r}: {answered.error}")
        if distance(answered.outputs["ids"], expected.outputs["ids"]) > 0:
            raise Broken(f"{sample.strip()!r} becomes other tokens than the original's")
    if lost == len(TEXTS):
        raise Skipped("the original's own tokenizer loses every text")
    more = f"; the original's own tokenizer loses {lost} others" if lost else ""
    return f"{len(TEXTS) - lost} texts come back from their tokens{more}"


CASES = (
    Case("vocabulary", "basic", "text", _vocabulary, _judge_vocabulary,
         "logits for every token, finite; the tokens that end a text are among them; it writes none that is not"),
    Case("prompt_lengths", "basic", "text", _prefixes, _judge_prefixes,
         "prompts of several lengths; what comes later changes nothing before it: close"),
    Case("greedy", "basic", "text", _greedy, _judge_greedy, "every token it writes is the likeliest by its own logits"),
    Case("given_up", "comprehensive", "text", _given_up, _judge_given_up,
         "a reader that goes away in the middle changes nothing for the next: equal"),
    Case("empty_prompt", "basic", "text", _empty, _judge_empty, "an empty prompt is answered or refused as by the original"),
    Case("context_limit", "comprehensive", "text", _limit, _judge_limit,
         "the longest prompt is answered, longer ones are refused or answered cleanly, and it writes as before"),
    Case("unicode", "basic", "text", _unicode, _judge_unicode,
         "six scripts and emoji come back from their tokens, and are the original's tokens"),
)  # fmt: skip
