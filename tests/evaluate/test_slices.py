from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from kit.datasets import ask, prepared, refusal
from PIL import Image

N = 6
SITES = ["b", "a", "b", "ü", "a", "b"]


def archive(folder: Path) -> Path:
    np.savez(folder / "data.npz", x=np.ones((N, 4)), y=np.arange(N), site=SITES, day=np.arange(N) % 2)
    return folder / "data.npz"


def table(folder: Path) -> Path:
    rows = [f"1,2,{site},3,4,{i},{i % 2}\n" for i, site in enumerate(SITES)]
    (folder / "data.csv").write_text("a,b,site,c,d,y,day\n" + "".join(rows), encoding="utf-8")
    return folder / "data.csv"


@pytest.mark.parametrize("write", [archive, table])
def test_slices_beside_inputs(tmp_path: Path, write: Callable[[Path], Path]):
    found = ask(write(tmp_path), slices=["site", "day"])
    assert list(found.inputs) == ["x"] and found.inputs["x"].shape == (N, 4)
    assert found.labels.tolist() == list(range(N))
    assert {name: groups.tolist() for name, groups in found.slices.items()} == {"site": SITES, "day": list("010101")}


def test_a_feature_of_a_table_is_a_slice_too(tmp_path: Path):
    (tmp_path / "data.csv").write_text("a,b,sex,c,y\n1,2,0,4,0\n5,6,1,8,1\n")
    found = ask(tmp_path / "data.csv", slices=["sex"])
    assert found.inputs["x"].tolist() == [[1, 2, 0, 4], [5, 6, 1, 8]], "the model takes four"
    assert found.slices["sex"].tolist() == ["0", "1"]


def test_of_images(tmp_path: Path):
    for i in range(3):
        Image.new("RGB", (2, 2), (i, 0, 0)).save(tmp_path / f"{i}.png")
    (tmp_path / "labels.csv").write_text("file,label,site\n0.png,0,x\n1.png,1,y\n2.png,0,x\n")
    image = {"name": "x", "dtype": "float32", "shape": ["N", 3, 2, 2]}
    assert ask(tmp_path, image, slices=["site"]).slices["site"].tolist() == ["x", "y", "x"]


def test_of_a_loader(tmp_path: Path):
    code = "import numpy as np\ndef load(): return {'x': np.ones((3, 4)), 'site': ['x', 'y', 'x']}, [0, 1, 0]\n"
    (tmp_path / "sliced_loader.py").write_text(code)
    found = prepared(tmp_path, None, [], loader="sliced_loader:load", slices=["site"])
    assert found.slices["site"].tolist() == ["x", "y", "x"] and list(found.inputs) == ["x"]


def test_a_single_one_needs_no_list(tmp_path: Path):
    assert ask(archive(tmp_path), slices="site").slices["site"].tolist() == SITES


def test_limit_takes_the_groups_of_its_examples(tmp_path: Path):
    found = ask(archive(tmp_path), slices=["site"], limit=3)
    assert found.slices["site"].tolist() == [SITES[i] for i in found.labels] and len(found.labels) == 3


def test_a_calibration_set_needs_none(tmp_path: Path):
    np.savez(tmp_path / "few.npz", x=np.ones((N, 4)))
    assert prepared(tmp_path, tmp_path / "few.npz", [], labelled=False, slices=["site"]).slices == {}


@pytest.mark.parametrize("write", [archive, table])
def test_what_is_not_there(tmp_path: Path, write: Callable[[Path], Path]):
    message = refusal(write(tmp_path), slices=["sites"])
    assert (
        "nothing is called 'sites'" in message and "site" in message.split("Found")[1] and "Correct `dataset.slices`" in message
    )


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (np.ones((N, 2)), "'site' has shape 6x2; a slice needs one value for each of 6 examples"),
        (np.arange(N - 1), "'site' has shape 5; a slice needs one value for each of 6 examples"),
        (np.ones(N, complex), "a slice is made of names or numbers"),
    ],
)
def test_what_does_not_group(tmp_path: Path, values: np.ndarray, said: str):
    np.savez(tmp_path / "data.npz", x=np.ones((N, 4)), y=np.arange(N), site=values)
    assert said in refusal(tmp_path / "data.npz", slices=["site"])


def test_too_many_groups(tmp_path: Path):
    np.savez(tmp_path / "data.npz", x=np.ones((201, 4)), y=np.arange(201), site=np.arange(201))
    assert "'site' has 201 different values, and a slice at most 200" in refusal(tmp_path / "data.npz", slices=["site"])
