"""All tests of a model that writes text: a tiny Llama in llama.cpp, whole and quantized."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from kit.subjects import Shelf, by_verdict, reason
from kit.support import install_framework
from kit.tiny_llm import write_llama, write_tokenizer

from gatekeeper.checks.integration.run import integration_checks
from gatekeeper.checks.security import run
from gatekeeper.checks.security.attacks import unforeseen
from gatekeeper.checks.security.base import attacks
from gatekeeper.checks.security.run import security_checks
from gatekeeper.checks.unit.base import all_cases
from gatekeeper.checks.unit.run import unit_checks
from gatekeeper.frameworks._base import ORIGINAL, OptimizeJob, framework
from gatekeeper.frameworks._spec import TextSpec
from gatekeeper.making.subject import Subject
from gatekeeper.records.base import Verdict

TEXT_TESTS = {"opens", *(name for name, case in all_cases().items() if case.models != "tensors")}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> tuple[Subject, Subject]:
    """The original and a variant of it."""
    folder = tmp_path_factory.mktemp("text")
    shelf, source = Shelf(folder), write_llama(folder / "llama")
    for technique in (ORIGINAL, "q8_0"):
        (folder / technique).mkdir()
        framework("llama_cpp").optimize(
            OptimizeJob(
                source=source,
                destination=folder / technique,
                technique=technique,
                device="cpu",
                vnni=False,
                calibration=None,
                original=None if technique == ORIGINAL else folder / ORIGINAL,
            )
        )
    return tuple(shelf.text(folder / technique, "llama_cpp", source) for technique in (ORIGINAL, "q8_0"))  # type: ignore[return-value]


def test_a_good_variant_keeps_the_contract(models: tuple[Subject, Subject]) -> None:
    original, variant = models
    found = unit_checks(variant, original, "comprehensive", [])
    assert by_verdict(found)[Verdict.PASS] == TEXT_TESTS, [c for c in found if c.verdict is not Verdict.PASS]
    assert "255 tokens is answered; over the limit refused" in reason(found, "context_limit")


def test_it_is_served(models: tuple[Subject, Subject]) -> None:
    found = integration_checks(models[1], "smoke")
    assert by_verdict(found)[Verdict.PASS] == {"ready", "metadata", "answers", "bad_request", "texts", "stops"}, found


def test_tokens_that_are_none_are_refused(models: tuple[Subject, Subject], monkeypatch: pytest.MonkeyPatch) -> None:
    asked = [attack for attack in attacks("basic", text=True) if attack.name == "tokens_that_are_none"]
    monkeypatch.setattr(run, "attacks", lambda level, text: asked if text else [])
    found = security_checks(models[1], "basic")
    assert by_verdict(found)[Verdict.PASS] == {"good_request", "tokens_that_are_none"}, found


@pytest.mark.thorough
def test_hostile_texts(models: tuple[Subject, Subject], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(run, "attacks", lambda level, text: [a for a in ATTACKS if text])
    monkeypatch.setattr(unforeseen, "SECONDS", {"openapi": 3.0, "tensors": 1.0})
    found = security_checks(models[1], "comprehensive")
    assert by_verdict(found)[Verdict.PASS] == {"good_request", *HOSTILE}, found


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Subject]]:
    """Text models that are ill in one way each."""
    folder = tmp_path_factory.mktemp("oddtext")
    env = install_framework(folder / "plugin", "oddtext")
    shelf = Shelf(folder)
    write_tokenizer(folder)
    text = TextSpec(model=str(folder), framework="oddtext", vocabulary=512, end=[0], context=256)
    np.savez(folder / "prompts.npz", tokens=np.arange(1, 25).reshape(2, 12), new_tokens=np.full(2, 8))

    def make(ill: str) -> Subject:
        path = folder / f"{ill}.odd"
        path.write_text(ill)
        return shelf.subject(path, "oddtext", text=text, inputs=folder / "prompts.npz")

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", env["PYTHONPATH"])
        yield make


ILL = {
    "well": {},
    "narrow": {"vocabulary": "kinds of token", "signature": "has shape"},
    "wild": {"vocabulary": "it writes the tokens [519"},
    "unlikely": {"greedy": "below the likeliest"},
    "looks ahead": {"prompt_lengths": "are allowed"},
    "sticky": {"given_up": "the original's answers are equal bit for bit"},
    "crashes": {"context_limit": "SIGABRT", "empty_prompt": "SIGABRT"},
    "forgets": {"context_limit": "no longer answers the first example", "empty_prompt": "no longer answers the first example"},
}
FOLLOWS = {
    "narrow": {"prompt_lengths", "greedy", "context_limit"}, "wild": {"greedy", "context_limit"}, "unlikely": set(),
    "looks ahead": {"greedy"},
}  # fmt: skip


@pytest.mark.parametrize("ill", ILL)
def test_each_text_test_notices(odd: Callable[[str], Subject], ill: str) -> None:
    found = unit_checks(odd(ill), odd("original"), "comprehensive", [])
    failed = by_verdict(found)[Verdict.FAIL]
    assert set(ILL[ill]) <= failed <= set(ILL[ill]) | FOLLOWS.get(ill, set()), {n: reason(found, n) for n in failed}
    for name, said in ILL[ill].items():
        assert said in reason(found, name)
    assert by_verdict(found)[Verdict.ERROR] == set()


HOSTILE = ("no_texts", "long_texts", "fuzzed_openapi", "fuzzed_tensors")
ATTACKS = [attack for attack in attacks("comprehensive", text=True) if attack.name in HOSTILE]
