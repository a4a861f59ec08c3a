"""Options of ONNX Runtime's and Olive's techniques on a language model, by what the artifact's graph then has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnx
import pytest
from kit.tiny_llm import write_llama

from gatekeeper.errors import NotMeasured
from gatekeeper.frameworks import _genai, microsoft_olive, onnx_runtime
from gatekeeper.frameworks._base import ORIGINAL, OptimizeJob
from gatekeeper.frameworks._options import options_of
from gatekeeper.frameworks._session import write_session
from gatekeeper.models.files import assess

PROMPT = np.random.default_rng(0).integers(1, 500, 30)
Made = Callable[..., Path]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its feed-forward layers are wider than its vocabulary is large, which confuses the model builder otherwise."""
    return write_llama(tmp_path_factory.mktemp("hf"), intermediate_size=768, vocab_size=640)


@pytest.fixture(scope="module")
def made(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Made:
    """`made(framework, technique, **options)`: the folder of the artifact, each made once."""
    root, kept = tmp_path_factory.mktemp("made"), {}
    (root / "original").mkdir()
    onnx_runtime.optimize(OptimizeJob(source, root / "original", ORIGINAL, "cpu", vnni=False, calibration=None))

    def make(technique: str, module: Any = onnx_runtime, **said: Any) -> Path:
        key = repr((module.__name__, technique, sorted(said.items())))
        if key not in kept:
            folder = root / str(len(kept))
            folder.mkdir(exist_ok=True)
            options = msgspec.convert(said, options_of(module, technique))
            job = OptimizeJob(source, folder, technique, "cpu", False, None, root / "original", options=options)
            module.optimize(job)
            kept[key] = folder
        return kept[key]

    return make


def products(folder: Path) -> Counter[tuple[Any, ...]]:
    """How many products there are of each kind: operator, bits, block, accuracy level, whether there are zero points."""
    graph = onnx.load(str(folder / "model.onnx"), load_external_data=False).graph
    found = []
    for node in graph.node:
        kept = {a.name: a.i for a in node.attribute}
        if node.op_type == "MatMulNBits":
            offsets = len(node.input) > 3 and bool(node.input[3])
            found.append(("MatMulNBits", kept["bits"], kept["block_size"], kept["accuracy_level"], offsets))
        if node.op_type == "MatMul":
            found.append(("MatMul",))
    return Counter(found)


@pytest.mark.parametrize(
    ("technique", "options", "expected"),
    [
        ("int4_weight_only", {}, {("MatMulNBits", 4, 32, 4, False): 11}),
        (
            "int4_weight_only",
            {"block_size": 64, "symmetric": False, "accuracy_level": 1, "exclude": ["*layers.0*", "/lm_head/MatMul"]},
            {("MatMul",): 6, ("MatMulNBits", 4, 64, 1, True): 5},
        ),
        ("int4_weight_only", {"algorithm": "k_quant"}, {("MatMulNBits", 4, 32, 4, True): 11}),
        ("int4_mixed", {"block_size": 128}, {("MatMulNBits", 4, 128, 4, True): 8, ("MatMulNBits", 8, 128, 4, True): 3}),
        ("int8_weight_only", {"block_size": 16}, {("MatMulNBits", 8, 16, 4, False): 11}),
    ],
)
def test_what_the_builder_is_told(made: Made, technique: str, options: dict[str, Any], expected: dict[Any, int]) -> None:
    folder = made(technique, **options)
    assert products(folder) == expected
    [logits] = onnx_runtime.open_session(folder, 1, "cpu").run({"tokens": PROMPT[None]})
    assert np.isfinite(logits).all()


def test_what_olive_is_told(made: Made) -> None:
    folder = made("k_quant", microsoft_olive, block_size=64, exclude=["*layers.0*"], eight_bits=["/lm_head/MatMul"])
    found = products(folder)
    assert found["MatMul",] == 5 and {kind[1:3]: count for kind, count in found.items() if len(kind) > 1} == {
        (4, 64): 5,
        (8, 64): 1,
    }
    [logits] = microsoft_olive.open_session(folder, 1, "cpu").run({"tokens": PROMPT[None]})
    assert np.isfinite(logits).all()


def test_what_matches_nothing_or_is_not_quantized(made: Made) -> None:
    with pytest.raises(NotMeasured, match=r"exclude '/lm_hed/MatMul' matches no node; did you mean '/lm_head/MatMul'\?"):
        made("int4_weight_only", exclude=["/lm_hed/MatMul"])
    with pytest.raises(NotMeasured, match="means Gather, which are not changed: MatMul are"):
        made("int4_weight_only", exclude=["Gather"])


def test_options_that_language_models_do_not_take(source: Path) -> None:
    model = assess(source)
    for technique, said, allowed in (
        ("int8_dynamic", {"per_channel": True}, False),
        ("int8_dynamic", {"session": {"arena": False}}, True),
        ("fp16", {"exclude": ["MatMul"]}, False),
        ("int4_weight_only", {"algorithm": "k_quant"}, True),
    ):
        options = msgspec.convert(said, options_of(onnx_runtime, technique))
        assert (options.unfit(technique, model) is None) is allowed, technique
    search = msgspec.convert({"algorithm": "k_quant", "symmetric": False}, options_of(onnx_runtime, "int4_weight_only"))
    assert [field for field, _ in search.wrong()] == ["symmetric"]
    assert "microsoft_olive has the technique k_quant" in (
        search.unfit("int4_weight_only", msgspec.structs.replace(model, text=None)) or ""
    )


def test_how_it_is_opened_is_told_to_the_runtime(made: Made, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The runtime has no way to ask what it was told. Weights that it does not pack are multiplied in another precision."""
    import onnxruntime_genai

    folder, told = made("int4_weight_only"), []
    plain = onnx_runtime.open_session(folder, 1, "cpu").run({"tokens": PROMPT[None]})[0]
    for file in folder.iterdir():
        (tmp_path / file.name).symlink_to(file)
    write_session(tmp_path, {"arena": False, "prepacking": False})

    class Config(onnxruntime_genai.Config):  # type: ignore[misc]
        def overlay(self, text: str) -> None:
            told.append(msgspec.json.decode(text)["model"]["decoder"]["session_options"])
            super().overlay(text)

    monkeypatch.setattr(onnxruntime_genai, "Config", Config)
    opened = onnx_runtime.open_session(tmp_path, 1, "cpu")
    assert isinstance(opened, _genai.GenaiSession)
    assert told[0]["enable_cpu_mem_arena"] is False and told[0]["session.disable_prepacking"] == "1"
    assert 0 < np.abs(opened.run({"tokens": PROMPT[None]})[0] - plain).max() < 0.1
