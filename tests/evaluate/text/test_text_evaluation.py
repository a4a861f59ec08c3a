"""A text model from a text file to paired scores: the same tokens for everyone, and numbers that transformers agrees with."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from kit.lazily import Lazily
from kit.support import spec
from kit.tiny_llm import TEXT, VOCABULARY, write_llama

from gatekeeper.data.prepared import PreparedDataset
from gatekeeper.errors import NotMeasured
from gatekeeper.evaluate.predict import Predict
from gatekeeper.evaluate.prepare import Prepare, prepare
from gatekeeper.evaluate.score import Score, Scored
from gatekeeper.evaluate.tasks._base import Reading
from gatekeeper.evaluate.text.asked import read_asked
from gatekeeper.evaluate.text.predict import predict_text
from gatekeeper.evaluate.text.score import score_text
from gatekeeper.evaluate.text.tokenizer import open_tokenizer
from gatekeeper.frameworks._base import REFERENCE
from gatekeeper.frameworks._spec import TextSpec

transformers = Lazily("transformers")
torch = Lazily("torch")

WINDOW = 32


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_llama(tmp_path_factory.mktemp("text") / "llama")


def about(model: Path) -> TextSpec:
    return TextSpec(model=str(model), framework="", vocabulary=VOCABULARY, end=[0])


def prepared(model: Path, file: Path, text: str, **dataset: Any) -> Path:
    file.write_text(text, encoding="utf-8")
    out = file.with_suffix("")
    out.mkdir(exist_ok=True)
    prepare(
        Prepare(
            dataset={"window": WINDOW} | dataset,
            path=str(file),
            folder=str(file.parent),
            labelled=True,
            inputs=[],
            task="text_generation",
            destination=str(out),
            text=about(model),
        )
    )
    return out


@dataclass
class Model:
    """A text session over transformers, with what the tests change about it."""

    folder: Path
    shift: float = 0.0
    says: str = ""

    inputs = ("tokens",)
    outputs = ("logits",)

    def __post_init__(self) -> None:
        self.model = transformers.AutoModelForCausalLM.from_pretrained(self.folder, dtype=torch.float32).eval()

    def run(self, feed: dict[str, Any]) -> list[Any]:
        with torch.inference_mode():
            logits = self.model(torch.from_numpy(feed["tokens"])).logits.numpy()
        noise = np.random.default_rng(0).standard_normal(logits.shape).astype(np.float32)
        return [logits + self.shift * noise]

    def generate(self, feed: dict[str, Any]) -> Any:
        ids = open_tokenizer(self.folder, "").encode(self.says)
        yield from [*ids, 0, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7][: feed["new_tokens"]]


def predicted(model: Path, dataset: Path, session: Any, name: str) -> Path:
    folder = dataset.parent / name
    folder.mkdir(exist_ok=True)
    request = Predict(
        spec=spec(model, REFERENCE, text=about(model)),
        dataset=str(dataset),
        destination=str(folder / "predictions.npy"),
        batch_size=1,
        output=None,
        reading=Reading(task=None),
    )
    predict_text(request, session)
    return folder / "predictions.npy"


def scored(dataset: Path, baseline: Path, variant: Path, metric: str | None = None) -> Scored:
    return score_text(
        Score(
            dataset=str(dataset),
            baseline=str(baseline),
            variant=str(variant),
            metric=metric,
            reading=Reading(task=None),
            folder="",
            destination=str(variant.with_name("scores.npy")),
            text=True,
        )
    )


def test_windows_are_the_texts_own_tokens_in_order(model: Path, tmp_path: Path) -> None:
    dataset = prepared(model, tmp_path / "eval.txt", TEXT * 3)
    tokens = PreparedDataset(dataset).inputs["tokens"]
    assert tokens.shape[1] == WINDOW
    whole = open_tokenizer(model, "").decode(tokens.reshape(-1).tolist())
    assert (TEXT * 3).startswith(whole) and len(whole) > 2 * len(TEXT)


def test_a_limit_spreads_the_windows_over_the_text(model: Path, tmp_path: Path) -> None:
    everything = PreparedDataset(prepared(model, tmp_path / "all.txt", TEXT * 20)).inputs["tokens"]
    few = PreparedDataset(prepared(model, tmp_path / "few.txt", TEXT * 20, limit=3)).inputs["tokens"]
    assert len(few) == 3
    assert (few[0] == everything[0]).all() and (few[-1] == everything[-1]).all()


def test_json_lines_are_text_or_prompts_with_answers(model: Path, tmp_path: Path) -> None:
    lines = [{"text": TEXT}, {"prompt": "The quick", "answer": " brown fox"}]
    dataset = prepared(model, tmp_path / "eval.jsonl", "\n".join(map(json.dumps, lines)))
    [prompt] = read_asked(dataset).prompts
    assert prompt.answer == "brown fox"
    assert open_tokenizer(model, "").decode(prompt.tokens) == "The quick"


def test_a_line_ends_with_a_line_feed_and_nothing_else(model: Path, tmp_path: Path) -> None:
    line = json.dumps({"text": TEXT + "one\u2028two\x85three"}, ensure_ascii=False)
    assert len(PreparedDataset(prepared(model, tmp_path / "eval.jsonl", f"{line}\n{line}\n")).inputs["tokens"]) > 3


def test_a_window_longer_than_the_models_context_is_refused(model: Path, tmp_path: Path) -> None:
    (tmp_path / "eval.txt").write_text(TEXT)
    short = TextSpec(model=str(model), framework="", vocabulary=VOCABULARY, context=16)
    with pytest.raises(NotMeasured, match=r"dataset\.window is 128, and the model knows 16 tokens\. Lower it"):
        prepare(
            Prepare(
                dataset={}, path=str(tmp_path / "eval.txt"), folder="", labelled=True, inputs=[], task=None, destination="",
                text=short,
            )
        )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("a.txt", "short", r"less than one window of 32. Add text"),
        ("b.jsonl", '{"text": "x"}\nnot json', r"b.jsonl:2: not JSON"),
        ("c.jsonl", '{"prompt": "x"}', r"c.jsonl:1: needs the text `text`, or one of .* with an `answer` \(it has prompt\)"),
        ("d.jsonl", "[1]", r"d.jsonl:1: needs"),
        ("f.jsonl", '{"text": "x"}\n{"prompt": "x", "answer": "  "}', r"f.jsonl:2: the answer is blank"),
        ("e.csv", "x", r"reads .txt and .jsonl"),
    ],
)
def test_what_is_not_text_is_named_with_its_line(model: Path, tmp_path: Path, name: str, text: str, says: str) -> None:
    with pytest.raises(NotMeasured, match=says):
        prepared(model, tmp_path / name, text)


def test_text_in_another_encoding_is_refused(model: Path, tmp_path: Path) -> None:
    file = tmp_path / "eval.txt"
    with pytest.raises(NotMeasured, match="less than one window"):
        prepared(model, file, "x")
    file.write_bytes("Grüße".encode("latin-1"))
    with pytest.raises(NotMeasured, match=r"not UTF-8 \(byte 2\)"):
        prepare(
            Prepare(dataset={}, path=str(file), folder="", labelled=True, inputs=[], task=None, destination="", text=about(model))
        )


def test_a_tokenizer_that_loses_characters_is_refused(tmp_path: Path) -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers

    library = Tokenizer(models.WordLevel({"<unk>": 0, "known": 1, "words": 2}, unk_token="<unk>"))
    library.pre_tokenizer = pre_tokenizers.Whitespace()
    library.save(str(tmp_path / "tokenizer.json"))
    with pytest.raises(NotMeasured, match=r"does not round-trip: 'knownother.* comes back as 'known<unk>"):
        prepared(tmp_path, tmp_path / "eval.txt", "known other words " * 40)


def test_a_tokenizer_of_another_model_is_refused(model: Path, tmp_path: Path) -> None:
    file = tmp_path / "eval.txt"
    file.write_text(TEXT * 3)
    small = TextSpec(model=str(model), framework="", vocabulary=100)
    with pytest.raises(NotMeasured, match="and the model knows 100 tokens"):
        prepare(Prepare(dataset={}, path=str(file), folder="", labelled=True, inputs=[], task=None, destination="", text=small))


def test_losses_are_those_of_transformers(model: Path, tmp_path: Path) -> None:
    dataset = prepared(model, tmp_path / "eval.txt", TEXT * 3)
    session = Model(model)
    losses = np.load(predicted(model, dataset, session, "baseline"))
    tokens = torch.from_numpy(np.array(PreparedDataset(dataset).inputs["tokens"]))
    with torch.inference_mode():
        truth = session.model(input_ids=tokens, labels=tokens).loss.item()
    assert losses.mean() == pytest.approx(truth, abs=1e-5)


def test_a_model_is_itself_and_a_changed_one_diverges(model: Path, tmp_path: Path) -> None:
    dataset = prepared(model, tmp_path / "eval.txt", TEXT * 6)
    baseline = predicted(model, dataset, Model(model), "baseline")
    same = scored(dataset, baseline, baseline)
    assert same.details["kl_mean"] == 0 and same.details["same_top"] == 1
    assert same.baseline == same.variant
    changed = [scored(dataset, baseline, predicted(model, dataset, Model(model, s), f"v{s}")).details for s in (0.1, 1.0)]
    assert 0 < changed[0]["kl_mean"] < changed[1]["kl_mean"] <= changed[1]["kl_p99"]
    assert changed[1]["same_top"] < changed[0]["same_top"] < 1
    assert changed[1]["kl_mean"] == pytest.approx(0.5, rel=0.2), "a normal shift of every logit by 1: half a nat"


def test_an_untrained_model_is_no_better_than_chance(model: Path, tmp_path: Path) -> None:
    dataset = prepared(model, tmp_path / "eval.txt", TEXT * 6)
    baseline = predicted(model, dataset, Model(model), "baseline")
    assert "no better than chance" in (scored(dataset, baseline, baseline).error or "")


def test_answers_are_compared_up_to_the_end_of_text_and_of_the_line(model: Path, tmp_path: Path) -> None:
    lines = [{"text": TEXT}] + [{"prompt": "The quick", "answer": " brown fox"}] * 4
    dataset = prepared(model, tmp_path / "eval.jsonl", "\n".join(map(json.dumps, lines)))
    right = predicted(model, dataset, Model(model, says=" brown fox\nand more"), "right")
    wrong = predicted(model, dataset, Model(model, says=" brown dog"), "wrong")
    found = scored(dataset, right, wrong)
    assert (found.metric, found.baseline, found.variant, found.kind) == ("exact_match", 1.0, 0.0, "binary")
    assert "every prompt has the same answer" in (found.error or "")
    assert "answers none" in (scored(dataset, wrong, right).error or "")
    assert scored(dataset, right, wrong, "perplexity").metric == "perplexity"


def test_exact_match_needs_prompts(model: Path, tmp_path: Path) -> None:
    dataset = prepared(model, tmp_path / "eval.txt", TEXT * 3)
    baseline = predicted(model, dataset, Model(model), "baseline")
    with pytest.raises(NotMeasured, match="needs lines with `prompt`"):
        scored(dataset, baseline, baseline, "exact_match")


def test_a_model_that_answers_nan_is_broken(model: Path, tmp_path: Path) -> None:
    dataset = prepared(model, tmp_path / "eval.txt", TEXT * 3)
    with pytest.raises(NotMeasured, match="NaN or infinite"):
        predicted(model, dataset, Model(model, float("nan")), "broken")
