from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from kit.datasets import prepared, tensor

from gatekeeper.data.prepared import PreparedDataset
from gatekeeper.errors import NotMeasured

NUMBER = itertools.count()  # a module is imported once a process, so every test writes its own


def load(folder: Path, loader: str, *inputs: dict[str, Any], labelled: bool = True, limit: int | None = None) -> PreparedDataset:
    return prepared(folder, None, inputs, labelled, loader=loader, limit=limit)


def module(folder: Path, body: str) -> str:
    """Write a module with `load`; its `package:function` name."""
    name = f"my_loader_{next(NUMBER)}"
    (folder / f"{name}.py").write_text(f"import numpy as np\n{body}\n")
    return f"{name}:load"


def returning(folder: Path, expression: str) -> str:
    return module(folder, f"def load(): return {expression}")


def refusal(folder: Path, loader: str, *inputs: dict[str, Any]) -> str:
    with pytest.raises(NotMeasured) as raised:
        load(folder, loader, *inputs)
    assert raised.value.kind == "data"
    return str(raised.value)


@pytest.mark.parametrize("expression", ["np.ones((5, 4)), np.arange(5)", "[[1, 1, 1, 1]] * 5, [0, 1, 2, 3, 4]"])
def test_arrays_or_lists_of_inputs_and_labels(tmp_path: Path, expression: str):
    found = load(tmp_path, returning(tmp_path, expression))
    assert found.inputs["x"].shape == (5, 4)
    assert found.inputs["x"].dtype == np.float32
    assert found.labels.tolist() == [0, 1, 2, 3, 4]


def test_a_dict_names_several_inputs(tmp_path: Path):
    loader = returning(tmp_path, "{'b': np.ones((5, 4)), 'a': np.zeros((5, 2))}, np.arange(5)")
    found = load(tmp_path, loader, tensor(name="a", shape=("N", 2)), tensor(name="b"))
    assert list(found.inputs) == ["a", "b"]
    assert found.inputs["b"].sum() == 20


def test_a_dict_without_an_input_is_refused(tmp_path: Path):
    message = refusal(tmp_path, returning(tmp_path, "{'a': np.ones((5, 4))}, None"), tensor(name="a"), tensor(name="b"))
    assert "no array for the model's input 'b'" in message


def test_no_labels_are_none(tmp_path: Path):
    assert load(tmp_path, returning(tmp_path, "np.ones((5, 4)), None")).labels is None


def test_labels_that_were_not_asked_for_are_left_out(tmp_path: Path):
    assert load(tmp_path, returning(tmp_path, "np.ones((5, 4)), np.arange(3)"), labelled=False).labels is None


def test_limit_takes_some_of_every_stretch(tmp_path: Path):
    loader = returning(tmp_path, "np.arange(40.).reshape(10, 4), np.arange(10)")
    found = load(tmp_path, loader, limit=5)
    assert (found.inputs["x"][:, 0] == 4 * found.labels).all() and len(found.labels) == 5
    assert all(2 * i - 1 <= label <= 2 * i + 2 for i, label in enumerate(found.labels))


@pytest.mark.parametrize("expression", ["np.ones((5, 4))", "None", "[1, 2]", "(1, 2, 3)", "{'x': 1}"])
def test_what_is_no_pair_is_refused(tmp_path: Path, expression: str):
    loader = returning(tmp_path, expression)
    assert f"the loader '{loader}' must return (inputs, labels)" in refusal(tmp_path, loader)


@pytest.mark.parametrize(
    "expression",
    [
        "None, None",
        "[], []",
        "[[1, 2, 3, 4], [1, 2]], [0, 1]",
        "'text', None",
        "np.ones((5, 3)), np.arange(5)",
        "np.ones((5, 4)), np.arange(4)",
        "np.ones((5, 4)), np.array(['a', 'b', 3, None, 'e'], dtype=object)",
        "np.ones((5, 4)), [[0], [1, 2], [3], [4], [5]]",
        "np.full((5, 4), np.nan), np.arange(5)",
        "np.array([[object()] * 4] * 5), np.arange(5)",
    ],
    ids=["None", "empty", "ragged", "text", "shape", "labels", "names", "ragged labels", "NaN", "objects"],
)
def test_a_pair_that_does_not_fit_is_refused(tmp_path: Path, expression: str):
    loader = returning(tmp_path, expression)
    assert loader in refusal(tmp_path, loader)


def test_a_module_that_does_not_exist(tmp_path: Path):
    message = refusal(tmp_path, "no_such_module_anywhere:load")
    assert f"no module 'no_such_module_anywhere' in {tmp_path} or installed" in message


def test_a_module_that_needs_one_that_is_not_installed(tmp_path: Path):
    assert "no module 'not_installed_here'" in refusal(tmp_path, module(tmp_path, "import not_installed_here"))


def test_a_function_that_does_not_exist(tmp_path: Path):
    assert "the module has no 'load'" in refusal(tmp_path, module(tmp_path, ""))


def test_a_module_that_fails_while_it_is_imported_is_not_called_incomplete(tmp_path: Path):
    loader = module(tmp_path, "np.no_such_thing\ndef load(): return np.ones((5, 4)), None")
    with pytest.raises(Exception, match="no_such_thing"):
        load(tmp_path, loader)


def test_what_is_no_function_is_refused(tmp_path: Path):
    assert "is not a function" in refusal(tmp_path, module(tmp_path, "load = 3"))


def test_a_module_in_a_package(tmp_path: Path):
    package = tmp_path / f"my_package_{next(NUMBER)}"
    (package / "data").mkdir(parents=True)
    (package / "data" / "digits.py").write_text("def load(): return [[1.0] * 4], [3]\n")
    assert load(tmp_path, f"{package.name}.data.digits:load").labels.tolist() == [3]


def test_an_error_of_the_users_own_code_reaches_the_user(tmp_path: Path):
    with pytest.raises(Exception, match="the disk with the images is not mounted"):
        load(tmp_path, module(tmp_path, "def load(): raise RuntimeError('the disk with the images is not mounted')"))
