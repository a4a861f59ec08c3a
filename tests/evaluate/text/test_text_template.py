"""A text is read as its tokenizer reads it: what its own template puts around it is there, in every form of the model."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
from kit.families import representative
from kit.lazily import Lazily
from kit.tiny_llm import TEXT, write_llama

from gatekeeper.errors import NotMeasured
from gatekeeper.evaluate.prepare import Prepare
from gatekeeper.evaluate.text.asked import read_asked
from gatekeeper.evaluate.text.prepare import prepare_text
from gatekeeper.evaluate.text.score import _chance
from gatekeeper.evaluate.text.tokenizer import open_tokenizer
from gatekeeper.frameworks._base import whole
from gatekeeper.frameworks._gguf import write_gguf
from gatekeeper.frameworks._gguf_config import FAMILIES
from gatekeeper.frameworks._gguf_tokenizer import _SPLITS
from gatekeeper.frameworks._spec import TextSpec

transformers = Lazily("transformers")

BEGIN, END = "<|begin|>", "<|end|>"
TEMPLATES = {"nothing": "$A", "begin": "{b} $A", "end": "$A {e}", "both": "{b} $A {e}", "begin and end before": "{b} {e} $A"}
SAID: dict[str, dict[str, bool]] = {
    "silent": {}, "bos": {"add_bos_token": True, "add_eos_token": False}, "eos": {"add_bos_token": False, "add_eos_token": True},
}  # fmt: skip
QWEN = next(expression for (expression, _), name in _SPLITS.items() if name == "qwen2")
TEXTS = [TEXT, "The quick", "a<|end|>b", ""]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A folder of each family that is converted, made when it is asked for."""
    return Made(tmp_path_factory.mktemp("families"))


class Made(dict[str, Path]):
    """Models by family."""

    def __init__(self, root: Path):
        super().__init__()
        self.root = root

    def __missing__(self, family: str) -> Path:
        self[family] = write_llama(self.root / family, family, num_hidden_layers=1)
        return self[family]


def set_template(folder: Path, template: str, said: dict[str, bool]) -> None:
    """Give the folder's tokenizer a post-processor, and what its configuration says beside it."""
    from tokenizers import Regex, Tokenizer, normalizers, pre_tokenizers, processors

    library = Tokenizer.from_file(str(folder / "tokenizer.json"))
    if folder.name.startswith("qwen"):  # transformers splits texts of this family so, whatever the file says
        words = pre_tokenizers.Split(Regex(QWEN), "isolated")
        library.normalizer = normalizers.NFC()
        library.pre_tokenizer = pre_tokenizers.Sequence([words, pre_tokenizers.ByteLevel(False, use_regex=False)])
    library.add_special_tokens([BEGIN])
    single = template.format(b=BEGIN, e=END)
    special = [(token, library.token_to_id(token)) for token in (BEGIN, END) if token in single]
    library.post_processor = processors.TemplateProcessing(single=single, special_tokens=special)
    library.save(str(folder / "tokenizer.json"))
    config = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": END, "bos_token": BEGIN} | said
    (folder / "tokenizer_config.json").write_text(json.dumps(config))


@pytest.mark.parametrize("said", SAID.values(), ids=SAID)
@pytest.mark.parametrize("template", TEMPLATES)
@pytest.mark.parametrize("family", representative(FAMILIES))
def test_a_folder_and_its_gguf_are_read_as_transformers_reads_them(
    models: Made, tmp_path: Path, family: str, template: str, said: dict[str, bool]
) -> None:
    folder, file = models[family], tmp_path / "model.gguf"
    set_template(folder, TEMPLATES[template], said)
    truth = transformers.AutoTokenizer.from_pretrained(folder)
    ours = open_tokenizer(folder, "")
    for text in TEXTS:
        assert whole(ours, text) == truth(text).input_ids, text
    if template == "begin and end before":
        with pytest.raises(NotMeasured, match=r"its template puts <\|begin\|>, <\|end\|> around a text"):
            write_gguf(folder, file)
        return
    write_gguf(folder, file)
    for name in ("llama_cpp", "openvino"):  # its own reader, and transformers'
        found = open_tokenizer(file, name)
        for text in TEXTS:
            assert whole(found, text) == truth(text).input_ids, (name, text)


@pytest.mark.parametrize("written", [True, False])
def test_what_a_gguf_says_of_itself_is_obeyed(models: Made, tmp_path: Path, written: bool) -> None:
    """As other converters write them: the keys that there are, whatever the template was."""
    folder, file = models["llama"], tmp_path / "model.gguf"
    set_template(folder, TEMPLATES["both"], {})
    with pytest.MonkeyPatch.context() as patch:
        key = "tokenizer.ggml.add_bos_token"
        patch.setattr(gguf.GGUFWriter, "add_add_bos_token", lambda self, value: self.add_bool(key, written))
        patch.setattr(gguf.GGUFWriter, "add_add_eos_token", lambda self, value: None)
        write_gguf(folder, file)
    for name in ("llama_cpp", "openvino"):
        found = open_tokenizer(file, name)
        assert (found.before, found.after) == (open_tokenizer(folder, "").before if written else [], []), name


def prepared(folder: Path, file: Path, **dataset: Any) -> Path:
    out = file.with_suffix("")
    out.mkdir(exist_ok=True)
    text = TextSpec(model=str(folder), framework="", vocabulary=512, end=[0], context=256)
    prepare_text(
        Prepare(
            dataset={"window": 32} | dataset, path=str(file), folder="", labelled=True, inputs=[], task=None,
            destination=str(out), text=text,
        )
    )  # fmt: skip
    return out


@pytest.mark.parametrize("template", ["nothing", "begin", "begin and end before"])
def test_windows_and_prompts_begin_as_the_tokenizer_begins_them(models: Made, tmp_path: Path, template: str) -> None:
    folder, file = models["llama"], tmp_path / "eval.jsonl"
    set_template(folder, TEMPLATES[template], {})
    file.write_text("\n".join(map(json.dumps, [{"text": TEXT * 3}, {"prompt": "The quick", "answer": " brown fox"}])))
    dataset = prepared(folder, file)
    truth = transformers.AutoTokenizer.from_pretrained(folder)
    asked, tokens = read_asked(dataset), np.load(dataset / "input0.npy")
    given = truth("").input_ids
    assert asked.before == given and tokens.shape[1] == 32
    assert (tokens[:, : len(given)] == given).all()
    assert asked.prompts[0].tokens == truth("The quick").input_ids
    text = truth(TEXT * 3, add_special_tokens=False).input_ids
    assert tokens[0, len(given) :].tolist() == text[: 32 - len(given)]


@dataclass
class Few:
    """Losses of so many windows of 20 tokens that are as frequent as each other: guessing has 3.0 nats, and a little more."""

    windows: int
    mean: float
    spread: float = 0.3

    def said(self) -> str | None:
        noise = np.random.default_rng(0).standard_normal(self.windows) * self.spread
        return _chance(self.mean + noise - noise.mean(), np.tile(np.arange(20), (self.windows, 5)))


@pytest.mark.parametrize("windows", [1, 2, 5, 58])
def test_so_few_windows_are_too_few_to_tell(windows: int) -> None:
    said = Few(windows, 2.95, 3.0).said()
    assert said and f"{windows} window" in said and "too few to tell: at least 59 are needed" in said
    assert "no better than chance" not in said


def test_what_can_be_told_of_few_windows_is_told() -> None:
    assert Few(20, 2.0).said() is None
    assert "no better than chance" in str(Few(20, 6.0).said())
    assert "no better than chance" in str(Few(200, 3.2, 3.0).said())
    assert "200 windows are too few to tell: more are needed" in str(Few(200, 2.95, 3.0).said())
