"""Prompts as models are used: conversations, choices by likelihood, answers that are contained, several that are drawn.

What a model answers is worked out again here by plain forward passes of transformers; and a broken model does not pass.
"""

from __future__ import annotations

import json
import random
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from kit.lazily import Lazily
from kit.support import spec
from kit.tiny_llm import TEXT, VOCABULARY, write_llama

from gatekeeper.errors import NotMeasured
from gatekeeper.evaluate.predict import Predict
from gatekeeper.evaluate.prepare import Prepare
from gatekeeper.evaluate.score import Score, Scored
from gatekeeper.evaluate.tasks._base import Reading
from gatekeeper.evaluate.text.answering import Answered, read_answered, write_answered
from gatekeeper.evaluate.text.asked import Asked, Prompt, read_asked
from gatekeeper.evaluate.text.predict import predict_text
from gatekeeper.evaluate.text.prepare import prepare_text
from gatekeeper.evaluate.text.questions import PromptScores, judge, right
from gatekeeper.evaluate.text.score import score_text
from gatekeeper.frameworks._base import REFERENCE, likeliest
from gatekeeper.frameworks._spec import TextSpec
from gatekeeper.gates import accuracy
from gatekeeper.records.base import Verdict
from gatekeeper.records.evidence import Comparison, Evidence
from gatekeeper.records.measured import Artifact
from gatekeeper.records.scores import PairedScores

transformers = Lazily("transformers")
torch = Lazily("torch")

WORDS = ["quick", "brown", "lazy", "daft", "fox", "dog", "zebra", "jugs", "quartz", "box", "path", "open"]
CHAT = "{% for m in messages %}<|end|>{{ m.role }}: {{ m.content }}\n{% endfor %}assistant:"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_llama(tmp_path_factory.mktemp("questions") / "llama", max_position_embeddings=512)
    config = json.loads((folder / "tokenizer_config.json").read_text()) | {"chat_template": CHAT}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    return folder


@pytest.fixture(scope="module")
def truth(model: Path) -> Any:
    torch.set_num_threads(1)  # small products wait longer for other threads than they take
    return transformers.AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32).eval()


@pytest.fixture(scope="module")
def tokenizer(model: Path) -> Any:
    return transformers.AutoTokenizer.from_pretrained(model)


def logits(truth: Any, tokens: list[int]) -> Any:
    with torch.inference_mode():
        return truth(torch.tensor([tokens])).logits[0].numpy()


@dataclass
class Session:
    """The model as transformers runs it; with what a test breaks about its scores, [tokens, vocabulary]."""

    truth: Any
    broken: Any = None
    noise: float = 0.0
    asked: list[int] = field(default_factory=list)

    inputs = ("tokens",)
    outputs = ("logits",)

    def run(self, feed: dict[str, Any]) -> list[Any]:
        found = logits(self.truth, feed["tokens"][0].tolist())
        if self.broken == "scrambled":
            found = np.random.default_rng(feed["tokens"].sum()).permutation(found, axis=1)
        if self.broken == "one token":
            found = np.where(np.arange(found.shape[1]) == 300, 20.0, 0.0).astype(np.float32) + 0 * found
        return [(found + self.noise * np.random.default_rng(1).standard_normal(found.shape)).astype(np.float32)[None]]

    def generate(self, feed: dict[str, Any]) -> Any:
        tokens = feed["tokens"].tolist()
        for _ in range(feed["new_tokens"]):
            tokens.append(feed.get("choose", likeliest)(self.run({"tokens": np.array([tokens])})[0][0, -1]))
            yield tokens[-1]


def prepared(model: Path, file: Path, rows: list[dict[str, Any]], **dataset: Any) -> Path:
    file.write_text("\n".join(map(json.dumps, [{"text": TEXT * 2}, *rows])))
    out = file.with_suffix("")
    out.mkdir(exist_ok=True)
    text = TextSpec(model=str(model), framework="", vocabulary=VOCABULARY, end=[0], context=512)
    prepare_text(
        Prepare(
            dataset={"window": 32} | dataset, path=str(file), folder="", labelled=True, inputs=[], task=None,
            destination=str(out), text=text,
        )
    )  # fmt: skip
    return out


def predicted(model: Path, dataset: Path, session: Any, name: str) -> Path:
    folder = dataset.parent / name
    folder.mkdir(exist_ok=True)
    text = TextSpec(model=str(model), framework="", vocabulary=VOCABULARY, end=[0])
    request = Predict(
        spec=spec(model, REFERENCE, text=text), dataset=str(dataset), destination=str(folder / "predictions.npy"),
        batch_size=1, output=None, reading=Reading(task=None),
    )  # fmt: skip
    predict_text(request, session)
    return folder / "predictions.npy"


def scored(dataset: Path, baseline: Path, variant: Path, metric: str | None = None) -> Scored:
    destination = str(variant.with_name("scores.npy"))
    return score_text(
        Score(
            dataset=str(dataset), baseline=str(baseline), variant=str(variant), metric=metric, reading=Reading(task=None),
            folder="", destination=destination, text=True,
        )
    )  # fmt: skip


def verdict(found: Scored, destination: Path) -> Verdict:
    """What the accuracy gate says of a comparison."""
    p, q = np.load(destination.with_name("scores.npy"))
    scores = PairedScores(found.kind, p=p, q=q, examples=found.examples, low=found.low, high=found.high)
    comparison = Comparison(
        metric=found.metric, baseline=found.baseline, variant=found.variant, scores=scores, error=found.error,
        details=found.details, collapsed=found.collapsed, signs=found.signs,
    )  # fmt: skip
    artifact = Artifact(path="x", sha256="0" * 64, bytes=1)
    return accuracy.judge(accuracy.Config(), Evidence(artifact=artifact, comparison=comparison)).verdict


def choices(count: int, seed: int = 0) -> list[dict[str, Any]]:
    """Questions of which no two are alike; which choice is right is filled in by who knows."""
    generator = random.Random(seed)
    rows = []
    for i in range(count):
        asked = " ".join(generator.choice(WORDS) for _ in range(5))
        options = [f" {word}" if i % 2 else f" the {word} {word}s"[: 5 + len(word)] for word in generator.sample(WORDS, 3)]
        rows.append({"id": f"q{i}", "prompt": f"{asked}{' ' if i % 3 else ''}", "choices": options, "answer": 0})
    return rows


def likelihoods(truth: Any, tokenizer: Any, row: dict[str, Any]) -> list[float]:
    """As lm-evaluation-harness has them: white space at the end of the prompt goes to the choice."""
    found = []
    prompt = tokenizer(row["prompt"].rstrip()).input_ids
    for choice in row["choices"]:
        whole = tokenizer(row["prompt"] + choice).input_ids
        scores = torch.log_softmax(torch.from_numpy(logits(truth, whole)).double(), -1)
        found.append(sum(float(scores[i - 1, whole[i]]) for i in range(len(prompt), len(whole))))
    return found


def test_choices_are_weighed_as_plain_forward_passes_weigh_them(model: Path, truth: Any, tokenizer: Any, tmp_path: Path) -> None:
    rows = choices(12)
    dataset = prepared(model, tmp_path / "eval.jsonl", rows)
    file = predicted(model, dataset, Session(truth), "baseline")
    expected = [likelihoods(truth, tokenizer, row) for row in rows]
    np.testing.assert_allclose(read_answered(file).likelihoods, expected, rtol=1e-5)
    for metric, per in (("acc", lambda text: 1), ("acc_norm", lambda text: len(text.strip()))):
        picked = [
            int(np.argmax([each / per(text) for each, text in zip(found, row["choices"], strict=True)]))
            for found, row in zip(expected, rows, strict=True)
        ]
        found = scored(dataset, file, file, metric)
        assert found.baseline == np.mean([each == row["answer"] for each, row in zip(picked, rows, strict=True)])
    assert scored(dataset, file, file).metric == "acc_norm"


@pytest.fixture(scope="module")
def known(model: Path, truth: Any, tokenizer: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Questions of which the model answers nine in ten right, and what it predicts."""
    root, rows = tmp_path_factory.mktemp("known"), choices(120, seed=3)
    alike = [token.replace("Ġ", " ") for token in tokenizer.get_vocab() if re.fullmatch("Ġ[a-z]{4}", token)]
    for i, row in enumerate(rows):
        row["choices"] = random.Random(i).sample(sorted(alike), 3)  # a length that differs would tell
        found = likelihoods(truth, tokenizer, row)
        best = int(np.argmax([each / len(text.strip()) for each, text in zip(found, row["choices"], strict=True)]))
        row["answer"] = best if i % 10 else (best + 1) % 3
    dataset = prepared(model, root / "eval.jsonl", rows)
    return dataset, predicted(model, dataset, Session(truth), "baseline")


def test_a_variant_that_answers_alike_passes(model: Path, truth: Any, known: tuple[Path, Path]) -> None:
    dataset, baseline = known
    same = predicted(model, dataset, Session(truth, noise=1e-6), "same")
    found = scored(dataset, baseline, same)
    assert (found.baseline, found.variant, found.worse, found.kind) == (0.9, 0.9, [], "binary")
    assert verdict(found, same) is Verdict.PASS


@pytest.mark.parametrize("broken", ["scrambled", "one token"])
def test_a_broken_variant_does_not_pass_and_what_got_worse_is_named(
    model: Path, truth: Any, known: tuple[Path, Path], broken: str
) -> None:
    dataset, baseline = known
    file = predicted(model, dataset, Session(truth, broken), broken.replace(" ", "-"))
    found = scored(dataset, baseline, file)
    assert verdict(found, file) is Verdict.FAIL
    prompts = read_asked(dataset).prompts
    b, v = (read_answered(each).likelihoods for each in (baseline, file))
    wrong = {
        p.name
        for p, x, y in zip(prompts, b, v, strict=True)
        if np.argmax(np.array(x) / p.lengths) == p.right != np.argmax(np.array(y) / p.lengths)
    }
    assert found.details["answers_worse"] == len(wrong) > 0
    assert set(found.worse) <= wrong and len(found.worse) == min(20, len(wrong))


def judged(folder: Path, prompts: list[Prompt], metric: str, baseline: Answered, variant: Answered) -> PromptScores:
    """What is said of answers, without a model."""
    for name, answered in (("b.npy", baseline), ("v.npy", variant)):
        (folder / name).mkdir(parents=True)
        write_answered(folder / name / "p.npy", answered)
    files = {"baseline": str(folder / "b.npy/p.npy"), "variant": str(folder / "v.npy/p.npy")}
    request = Score(dataset="", metric=metric, reading=Reading(task=None), folder="", destination="", text=True, **files)
    return judge(request, metric, Asked(prompts=prompts))


def test_always_the_same_choice_has_collapsed_though_it_keeps_nearly_all(tmp_path: Path) -> None:
    """Nineteen of twenty answers are the first choice: answering that keeps 97 % of what a good model gets."""
    rights = [int(i % 20 == 0) for i in range(400)]
    prompts = [Prompt(name=f"q{i}", tokens=[i], choices=[[1], [2]], lengths=[1, 1], right=r) for i, r in enumerate(rights)]
    good = [[-1.0, -2.0] if (r == 0) != (i % 50 == 7) else [-2.0, -1.0] for i, r in enumerate(rights)]
    found = judged(tmp_path, prompts, "acc", Answered(likelihoods=good), Answered(likelihoods=[[-1.0, -2.0]] * 400))
    assert found.error is None and found.pair.variant / found.pair.baseline > 0.96
    assert found.collapsed == "it answers class 0 whatever it sees, where the original answers 2 classes"


@pytest.mark.parametrize("metric", ["exact_match", "contains"])
def test_always_the_same_text_has_collapsed(tmp_path: Path, metric: str) -> None:
    rights = ["no" if i % 20 == 0 else "yes" for i in range(400)]
    prompts = [Prompt(name=f"q{i}", tokens=[i], answer=r) for i, r in enumerate(rights)]
    good = [["perhaps" if i % 50 == 7 else r] for i, r in enumerate(rights)]
    found = judged(tmp_path, prompts, metric, Answered(texts=good), Answered(texts=[["yes"]] * 400))
    assert found.error is None and found.pair.variant / found.pair.baseline > 0.96
    assert found.collapsed.startswith("it answers class yes whatever it sees")


def test_a_length_that_tells_the_answer_is_no_knowledge(tmp_path: Path) -> None:
    """The right choice is the shortest nine times in ten: a model to which all tokens are alike is as good as this one."""
    prompts = []
    for i in range(200):
        shortest = i % 2
        options = [[2, 3], [1]] if shortest else [[1], [2, 3]]
        answer = shortest if i % 10 else 1 - shortest
        prompts.append(Prompt(name=f"q{i}", tokens=[i], choices=options, lengths=[4, 4], right=answer))
    uniform = [[-6.2 * len(choice) for choice in prompt.choices] for prompt in prompts]
    shares = {name: judged(tmp_path / name, prompts, name, *[Answered(likelihoods=uniform)] * 2) for name in ("acc", "acc_norm")}
    assert all(each.pair.baseline == 0.9 and "no better than chance" in str(each.error) for each in shares.values())


@pytest.mark.parametrize(
    ("correct", "says"), [(0, "answers none of the prompts"), (40, "no better than chance"), (49, "too few to tell: more are")]
)
def test_a_baseline_that_answers_without_looking_is_no_baseline(tmp_path: Path, correct: int, says: str) -> None:
    prompts = [Prompt(name=f"q{i}", tokens=[i], choices=[[1], [2]], lengths=[1, 1], right=i % 2) for i in range(90)]
    picked = [p.right if i < correct else 1 - p.right for i, p in enumerate(prompts)]
    answered = Answered(likelihoods=[[-1.0, -2.0] if each == 0 else [-2.0, -1.0] for each in picked])
    assert says in str(judged(tmp_path, prompts, "acc", answered, answered).error)


def test_choices_that_a_tokenizer_joins_to_the_prompt_are_whole(model: Path, tokenizer: Any, tmp_path: Path) -> None:
    """`(` and `)` are one token here: the choice begins with it, and none of the prompt's is read twice."""
    rows = [{"prompt": "return len(open(path).read(", "choices": [")\n", "path"], "answer": 0}]
    [prompt] = read_asked(prepared(model, tmp_path / "eval.jsonl", rows)).prompts
    assert tokenizer("read()").input_ids[-1] not in tokenizer("read(").input_ids, "the tokenizer joins them"
    for tokens, text in zip(prompt.choices, rows[0]["choices"], strict=True):
        assert prompt.tokens + tokens == tokenizer(rows[0]["prompt"] + text).input_ids


def greedy(truth: Any, tokens: list[int], count: int) -> list[int]:
    found = list(tokens)
    for _ in range(count):
        found.append(int(logits(truth, found)[-1].argmax()))
    return found[len(tokens) :]


def test_a_conversation_is_gone_on_with_where_the_template_ends(model: Path, truth: Any, tokenizer: Any, tmp_path: Path) -> None:
    talk = [{"role": "user", "content": "The quick brown"}]
    dataset = prepared(model, tmp_path / "eval.jsonl", [{"messages": talk, "answer": "fox"}], new_tokens=6)
    [prompt] = read_asked(dataset).prompts
    assert (prompt.name, prompt.tokens) == ("line 2", tokenizer.apply_chat_template(talk, add_generation_prompt=True).input_ids)
    [[text]] = read_answered(predicted(model, dataset, Session(truth), "b")).texts
    written = greedy(truth, prompt.tokens, 6)
    assert text == tokenizer.decode(written[: written.index(0)] if 0 in written else written)


def test_contained_answers_stand_by_themselves() -> None:
    prompts = [Prompt(name="a", tokens=[1], answer="4"), Prompt(name="b", tokens=[1], answer="(b)")]
    for texts, expected in (
        (["it is 4.", "so (b), then"], [1, 1]),
        (["it is 14", "b"], [0, 0]),
        (["4", "(b)"], [1, 1]),
        (["4th", "x(b)y"], [0, 1]),
    ):
        assert right("contains", prompts, [[text] for text in texts]).tolist() == expected


def test_what_is_drawn_is_the_models_own_distribution_by_the_seed(
    model: Path, truth: Any, tokenizer: Any, tmp_path: Path
) -> None:
    """Of 64 draws each token comes up about as often as its probability says; the seed decides which."""
    rows = [{"prompt": "The quick", "answer": "brown"}]
    options = {"generations": 64, "temperature": 0.3, "new_tokens": 1}
    first, again, other = (
        predicted(model, prepared(model, tmp_path / f"{name}.jsonl", rows, seed=seed, **options), Session(truth), f"p{name}")
        for name, seed in (("a", 1), ("b", 1), ("c", 2))
    )
    [texts] = read_answered(first).texts
    assert len(texts) == 64 and read_answered(again).texts == [texts] != read_answered(other).texts
    scores = logits(truth, tokenizer("The quick").input_ids)[-1] / 0.3
    shares = np.exp(scores - scores.max()) / np.exp(scores - scores.max()).sum()
    counts = np.bincount([tokenizer(text, add_special_tokens=False).input_ids[0] if text else 0 for text in texts], minlength=512)
    likely = shares.argsort()[-32:]
    n, p = 64, shares[likely].sum()
    assert abs(counts[likely].sum() - n * p) < 4 * np.sqrt(n * p * (1 - p)) + 1


def test_the_unit_of_several_generations_is_the_prompt(model: Path, truth: Any, tmp_path: Path) -> None:
    rows = [{"id": i, "prompt": f"The {word}", "answer": f"{word} {i}"} for i, word in enumerate(WORDS)]
    dataset = prepared(model, tmp_path / "eval.jsonl", rows, generations=3, new_tokens=2)
    baseline = predicted(model, dataset, Session(truth), "baseline")
    answered = read_answered(baseline)
    assert [len(each) for each in answered.texts] == [3] * len(WORDS)
    found = scored(dataset, baseline, baseline)
    assert (found.examples, found.kind) == (len(WORDS), "bounded")


def test_a_framework_that_cannot_draw_is_said_to_be_unable(model: Path, truth: Any, tmp_path: Path) -> None:
    class Greedy(Session):
        def generate(self, feed: dict[str, Any]) -> Any:
            return super().generate({key: value for key, value in feed.items() if key != "choose"})

    dataset = prepared(model, tmp_path / "eval.jsonl", [{"prompt": "The", "answer": "x"}], generations=2)
    with pytest.raises(NotMeasured, match=r"Leave `dataset\.generations` at 1"):
        predicted(model, dataset, Greedy(truth), "b")


ASK = {"prompt": "a", "choices": ["b", "c"], "answer": 1}
WRONG: dict[str, tuple[list[dict[str, Any]], str]] = {
    "both": ([{"prompt": "a", "messages": [{"role": "user"}], "answer": "b"}], "one of `prompt` and `messages`"),
    "no roles": ([{"messages": [{"content": "a"}], "answer": "b"}], "`messages` are not a list of objects such as"),
    "no messages": ([{"messages": [], "answer": "b"}], "`messages` are not a list of objects"),
    "text": ([{"messages": "hello", "answer": "b"}], "`messages` are not a list of objects"),
    "a list": ([{"prompt": ["a"], "answer": "b"}], "the prompt is no text"),
    "number": ([{"prompt": "a", "answer": 4}], "the answer is no text"),
    "out of range": ([ASK | {"answer": 2}], "number of the right one, 0 to 1, and here it is '2'"),
    "true": ([ASK | {"answer": True}], "number of the right one"),
    "named": ([ASK | {"answer": "c"}], "number of the right one"),
    "one": ([ASK | {"choices": ["b"], "answer": 0}], "at least 2 different texts"),
    "alike": ([ASK | {"choices": ["b", "b "]}], "at least 2 different texts"),
    "blank": ([ASK | {"choices": ["b", " "]}], "at least 2 different texts"),
    "mixed": ([ASK, {"prompt": "a", "answer": "b"}], "eval.jsonl:3: it has no `choices`, and other lines have"),
    "long": ([{"prompt": "fox " * 600, "answer": "b"}], "and the model knows 512. Shorten it, or lower `dataset.new_tokens`"),
}


@pytest.mark.parametrize("name", WRONG)
def test_lines_that_cannot_be_asked_are_named(model: Path, tmp_path: Path, name: str) -> None:
    rows, says = WRONG[name]
    with pytest.raises(NotMeasured, match=says) as caught:
        prepared(model, tmp_path / "eval.jsonl", rows)
    assert "eval.jsonl:" in str(caught.value)


@pytest.mark.parametrize(("metric", "row"), [("exact_match", ASK), ("acc", {"prompt": "a", "answer": "b"})])
def test_a_metric_of_other_lines_is_refused(model: Path, truth: Any, tmp_path: Path, metric: str, row: dict[str, Any]) -> None:
    dataset = prepared(model, tmp_path / "eval.jsonl", [row])
    baseline = predicted(model, dataset, Session(truth), "baseline")
    with pytest.raises(NotMeasured, match=f"{metric} needs lines with .*; these are scored by"):
        scored(dataset, baseline, baseline, metric)
