"""A pytest plugin: fixtures for tests of a model, your own or those that a pipeline file names.

    session         the model under test, opened by its framework: session.run(feed) -> outputs
    baseline        the original beside it
    example_inputs  feeds, each a dictionary of arrays
    variant_id      what the model is called in the report

The testing stage gives the options below itself. By hand:

    pytest --gatekeeper-artifact model.onnx --gatekeeper-baseline original.onnx

Without them, tests that want a fixture are skipped. Nothing of gatekeeper or of a framework is imported until a test asks.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from gatekeeper.frameworks._base import Session

PREFIX = "--gatekeeper-"
OPTIONS = {
    "artifact": "the model under test: a file, or the folder an optimizer wrote",
    "framework": "what opens it, e.g. onnx_runtime; left out, what the file's format says",
    "baseline": "the original, for the fixture `baseline`",
    "baseline-framework": "what opens the original; left out, the framework of the model under test",
    "inputs": ".npz of feeds, arrays of shape [feeds, batch, ...]; left out, examples are made up",
    "threads": "threads that a session takes (default: 1)",
    "device": "device that a session runs on (default: cpu)",
    "id": "what `variant_id` is; left out, the name of the artifact",
}
MADE_UP = 4
PROMPT_TOKENS = 16


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options, in a group of their own."""
    group = parser.getgroup("gatekeeper", "tests of a model")
    for name, meaning in OPTIONS.items():
        group.addoption(PREFIX + name, default=None, help=meaning)


@pytest.fixture(scope="session")
def session(pytestconfig: pytest.Config) -> Session:
    """The model under test."""
    artifact = _needed(pytestconfig, "artifact")
    return _open(pytestconfig, artifact, _framework(pytestconfig, artifact))


@pytest.fixture(scope="session")
def baseline(pytestconfig: pytest.Config) -> Session:
    """The original beside it."""
    original = _needed(pytestconfig, "baseline")
    stated = _option(pytestconfig, "baseline-framework") or _option(pytestconfig, "framework")
    return _open(pytestconfig, original, stated or _framework(pytestconfig, original))


@pytest.fixture
def example_inputs(pytestconfig: pytest.Config) -> list[dict[str, Any]]:
    """Feeds that `session.run` takes; of a text model also with `new_tokens`, as `session.generate` wants it."""
    if (stated := _option(pytestconfig, "inputs")) is None:
        return _made_up(Path(_option(pytestconfig, "baseline") or _needed(pytestconfig, "artifact")))
    from gatekeeper.data.feeds import read_feeds

    if not Path(stated).is_file():
        raise pytest.UsageError(f"{PREFIX}inputs {stated}: there is no such file")
    return read_feeds(stated)


@pytest.fixture(scope="session")
def variant_id(pytestconfig: pytest.Config) -> str:
    """What the model under test is called."""
    return _option(pytestconfig, "id") or Path(_needed(pytestconfig, "artifact")).name


def _option(config: pytest.Config, name: str) -> str | None:
    value: str | None = config.getoption(PREFIX + name)
    return value


def _needed(config: pytest.Config, name: str) -> str:
    """The option's value; a test that needs one that was not given is skipped."""
    value = _option(config, name)
    if value is None:
        pytest.skip(f"this test is about a model: run it with `gatekeeper run`, or give {PREFIX}{name}")
    return value


def _framework(config: pytest.Config, artifact: str) -> str:
    from gatekeeper.frameworks._base import opener
    from gatekeeper.models.files import model_format

    framework = _option(config, "framework") or opener(model_format(Path(artifact)))
    if framework is None:
        raise pytest.UsageError(f"{artifact} does not say what opens it. Give {PREFIX}framework.")
    return framework


def _open(config: pytest.Config, artifact: str, name: str) -> Session:
    from gatekeeper.errors import UsageError
    from gatekeeper.frameworks._base import framework
    from gatekeeper.frameworks._spec import ModelSpec, open_session

    path = Path(artifact)
    if not path.exists():
        raise pytest.UsageError(f"{artifact}: there is no such file")
    threads = _option(config, "threads") or "1"
    if not threads.isdecimal() or int(threads) < 1:
        raise pytest.UsageError(f"{PREFIX}threads {threads}: give a whole number from 1")
    try:
        framework(name)
    except UsageError as error:
        raise pytest.UsageError(str(error)) from None
    device = _option(config, "device") or "cpu"
    return open_session(ModelSpec(framework=name, artifact=str(path.resolve()), threads=int(threads), device=device))


def _made_up(model: Path) -> list[dict[str, Any]]:
    """A few examples of the shapes that a model file states: normal numbers, and zeros where numbers are whole."""
    import numpy as np

    from gatekeeper.errors import GatekeeperError
    from gatekeeper.models.files import assess

    try:
        about = assess(model)
    except GatekeeperError as error:
        raise pytest.UsageError(f"no examples can be made up for {model} ({error}). Give {PREFIX}inputs.") from None
    generator = np.random.default_rng(0)
    if about.text is not None:
        tokens = generator.integers(0, about.text.vocabulary, (MADE_UP, 1, PROMPT_TOKENS))
        return [{"tokens": prompt} for prompt in tokens]

    def made_up(dtype: str, shape: list[int | str | None]) -> Any:
        sizes = [d if isinstance(d, int) and d > 0 else 1 for d in shape]
        if dtype.startswith("float"):
            return generator.standard_normal(sizes).astype(dtype)
        return np.zeros(sizes, dtype="U1" if dtype == "string" else dtype)

    return [{t.name: made_up(t.dtype, t.shape) for t in about.inputs} for _ in range(MADE_UP)]
