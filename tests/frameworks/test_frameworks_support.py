"""The support matrix against what really happens: what is said to run answers, what is said not to run does not."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from kit.support import write_model
from kit.tiny_llm import VOCABULARY, write_llama

from gatekeeper.config.sections.measure import Measure
from gatekeeper.frameworks._base import REGISTRY, TEXT_FORMATS, converts, framework, opener
from gatekeeper.making.cache import Cache
from gatekeeper.making.optimize import source_of
from gatekeeper.making.workspace import workspace
from gatekeeper.models.files import FORMATS, assess, digest_files
from gatekeeper.planning.support import devices, support

ACCELERATORS = sorted(set(devices()) - {"cpu", "auto"})


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A model of every format."""
    import openvino

    from gatekeeper.frameworks._gguf import write_gguf

    folder = tmp_path_factory.mktemp("formats")
    write_model(folder / "model.onnx")
    openvino.save_model(openvino.convert_model(folder / "model.onnx"), folder / "model.xml", compress_to_fp16=False)
    write_llama(folder / "hf", intermediate_size=768)
    write_gguf(folder / "hf", folder / "model.gguf", "f32")
    return {
        "onnx": folder / "model.onnx",
        "openvino_ir": folder / "model.xml",
        "huggingface": folder / "hf",
        "gguf": folder / "model.gguf",
    }


Answer = Callable[[str, str], Any]


@pytest.fixture(scope="module")
def answer(models: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Answer:
    """`answer(framework, format)`: what the framework's baseline of that model says to a few inputs; asked once."""

    @functools.cache
    def asked(name: str, model_format: str) -> Any:
        return baseline(name, models[model_format], model_format, tmp_path_factory.mktemp(name))

    return asked


def baseline(name: str, model: Path, model_format: str, folder: Path) -> Any:
    found = assess(model)
    identity = digest_files([Path(f) for f in found.files])
    with workspace(Cache(folder), Measure()) as space:
        path, _ = source_of(space, name, "cpu", model, model_format, identity).baseline()
        session = framework(name).open_session(path, 1, "cpu")
        feed = np.arange(12)[None] if model_format in TEXT_FORMATS else np.ones((2, 16), dtype=np.float32)
        return np.array(session.run({session.inputs[0]: feed})[0])


def test_there_is_a_model_of_every_format(models: dict[str, Path]) -> None:
    assert sorted(models) == sorted(FORMATS.names)


CONVERTED = {
    ("microsoft_olive", "huggingface"),
    ("onnx_runtime", "huggingface"),
    ("openvino", "huggingface"),
    ("openvino", "gguf"),
}
"""What takes a conversion of its own: the tests of each framework convert, too, and one run takes a model through all."""


def pairs() -> list[Any]:
    return [
        pytest.param(name, form, marks=pytest.mark.thorough if (name, form) in CONVERTED else ())
        for name in REGISTRY.builtin
        for form in FORMATS.names
    ]


@pytest.mark.parametrize(("name", "model_format"), pairs())
def test_what_is_said_to_run_on_a_cpu_does(name: str, model_format: str, answer: Answer) -> None:
    if framework(name).supports(model_format, "cpu") is None:
        found = answer(name, model_format)
        assert np.isfinite(found).all()
        assert found.shape[:2] == ((1, 12) if model_format in TEXT_FORMATS else (2, 4))
        assert model_format not in TEXT_FORMATS or found.shape[2] >= VOCABULARY
    else:
        assert not converts(name, model_format)
        with pytest.raises(Exception):  # noqa: B017  # each in its own way; the plan never comes here
            answer(name, model_format)


@pytest.mark.thorough
@pytest.mark.parametrize("model_format", TEXT_FORMATS)
def test_every_framework_that_reads_a_text_model_finds_the_same_in_it(model_format: str, answer: Answer) -> None:
    """The originals agree within float error, whoever runs them."""
    names = [name for name in REGISTRY.builtin if framework(name).supports(model_format, "cpu") is None]
    found = [answer(name, model_format)[..., :VOCABULARY] for name in names]
    assert len(names) >= (5 if model_format == "huggingface" else 2)
    for name, logits in zip(names, found, strict=True):
        # llama.cpp keeps keys and values in half precision, as its users run it
        assert np.abs(logits - found[0]).max() < 5e-3, (names[0], name)


@pytest.mark.parametrize("device", ACCELERATORS)
@pytest.mark.parametrize("model_format", FORMATS.names)
def test_what_is_said_not_to_run_has_a_reason(model_format: str, device: str) -> None:
    for name, answers in support(model_format).items():
        reason = answers[device]
        assert reason is None or len(reason) > 15, (name, reason)


def test_a_format_is_the_own_one_of_one_framework_which_opens_it() -> None:
    """What `gatekeeper serve` and the pytest plugin take where nobody names a framework."""
    owned = [model_format for name in REGISTRY.builtin for model_format in getattr(framework(name), "OPENS", ())]
    assert sorted(owned) == sorted(FORMATS.builtin)
    expected = {"onnx": "onnx_runtime", "openvino_ir": "openvino", "gguf": "llama_cpp", "huggingface": "apple_mlx"}
    assert {model_format: opener(model_format) for model_format in FORMATS.builtin} == expected
    assert opener(None) is None
    for model_format in FORMATS.builtin:
        assert any(reason is None for reason in support(model_format)[opener(model_format)].values())
