"""A model whose int8 always answers one class, and somebody who wants it to pass: by other data, other limits, another file."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from kit.attacked import one_class, skewed
from kit.hand_built import commit, git

from gatekeeper.data.content import content
from gatekeeper.gates.accuracy import LEAST_EXAMPLES

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def change(tmp_path: Path) -> Path:
    """A clone in which the model, its honest set and the pipeline file are on `main`."""
    file = one_class(tmp_path)
    commit(tmp_path, file.name, "model.onnx", "eval.npz")
    return file


def data_of(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "gatekeeper-report/report.json").read_text())["data"]
    return found


def comment_of(folder: Path) -> str:
    return (folder / "gatekeeper-report/report.md").read_text()


def test_the_honest_set_fails_it(gatekeeper: Command, change: Path) -> None:
    done = gatekeeper("run", change, "--policy-ref", "main")
    assert done.returncode == 1
    found = data_of(change.parent)["evaluation"]
    assert (found["source"], found["sha256"], found["before"]) == (
        "eval.npz",
        content(change.parent / "eval.npz"),
        found["sha256"],
    )
    assert (found["examples"], found["distinct"], found["near"]) == (600, 600, 0)
    assert "is not that of" not in comment_of(change.parent)


LESS_OFTEN = [pytest.param(way, marks=pytest.mark.thorough) for way in ("another order", "another type", "other labels")]
WAYS = ["copies", "one bit", "where no weight is", *LESS_OFTEN]


@pytest.mark.parametrize("way", WAYS)
def test_a_set_that_takes_its_place_passes_nothing_and_is_named(gatekeeper: Command, change: Path, way: str) -> None:
    folder = change.parent
    honest = content(folder / "eval.npz")
    np.savez(folder / "eval.npz", **skewed(folder, way))
    done = gatekeeper("run", change, "--policy-ref", "main")
    assert done.returncode == (1 if way == "where no weight is" else 4), done.stdout
    found, comment = data_of(folder)["evaluation"], comment_of(folder)
    assert (found["before"], found["sha256"]) == (honest, content(folder / "eval.npz"))
    assert found["examples"] == 2000
    same = found["near"] + found["examples"] - found["distinct"]
    assert same == 1998, "all but two are copies, or nearly"
    head = comment.partition("| variant")[0]
    assert f"the evaluation set is not that of main at {git(folder, 'rev-parse', 'main')[:12]}: 2,000 examples" in head
    assert f"{found['distinct']:,} of them distinct" in head
    if found["distinct"] == 2:
        assert "99.9% of the evaluation set are copies of other examples (1,998 of 2,000)" in head
    else:
        assert f"{found['near']:,} of the {found['distinct']:,} distinct examples" in head
    if done.returncode == 4:
        assert f"2 distinct examples of 2000 ({'180' if way == 'one bit' else '1998'} are copies" in done.stdout
        assert f"at least {LEAST_EXAMPLES} are needed" in done.stdout.replace("\n", " ")


def test_a_pinned_set_is_the_only_one_that_is_taken(gatekeeper: Command, change: Path) -> None:
    folder = change.parent
    honest = content(folder / "eval.npz")
    change.write_text(change.read_text().replace("{path: eval.npz}", f"{{path: eval.npz, sha256: [{honest}]}}"))
    commit(folder, change.name)
    assert gatekeeper("validate", change).returncode == 0
    assert gatekeeper("run", change, "--policy-ref", "main").returncode == 1
    shutil.copytree(folder / "gatekeeper-report", folder / "before")
    np.savez(folder / "eval.npz", **skewed(folder))
    other = content(folder / "eval.npz")
    said = f"the evaluation set eval.npz has the SHA-256 {other}, and "
    # Whatever the change itself says of it.
    for own in (f"sha256: [{honest}]", f"sha256: [{other}]", "limit: 2000"):
        change.write_text(change.read_text().replace(f"sha256: [{honest}]", own).replace(f"sha256: [{other}]", own))
        assert gatekeeper("validate", change).returncode == (0 if own != f"sha256: [{honest}]" else 2)
        done = gatekeeper("validate", change, "--policy-ref", "main")
        assert (done.returncode, done.stdout) == (2, "")
        assert said in done.stderr
        assert f"main at {git(folder, 'rev-parse', 'main')[:12]} pins {honest}" in done.stderr
    done = gatekeeper("run", change, "--policy-ref", "main")
    assert done.returncode == 4
    report = json.loads((folder / "gatekeeper-report/report.json").read_text())
    [stage] = [each for each in report["stages"] if each["stage"] == "model_validation"]
    assert said in stage["reason"]
    assert honest in stage["reason"]


def test_reports_of_other_data_are_refused_where_it_is_pinned(gatekeeper: Command, change: Path) -> None:
    folder = change.parent
    honest = content(folder / "eval.npz")
    policy = folder / "policy.yaml"
    pinned = change.read_text().replace("{path: eval.npz}", f"{{path: eval.npz, sha256: [{honest}]}}")
    policy.write_text(pinned)
    assert gatekeeper("run", change, "--policy", "policy.yaml").returncode == 1
    report = json.loads((folder / "gatekeeper-report/report.json").read_text())
    assert gatekeeper("report", "gatekeeper-report", "--policy", "policy.yaml").returncode == 1
    for edit, said in (
        ("0" * 64, f"has the SHA-256 {'0' * 64}, and policy.yaml pins {honest}"),
        (None, f"it does not say what the evaluation set was, and policy.yaml pins {honest}"),
    ):
        forged = json.loads(json.dumps(report))
        if edit:
            forged["data"]["evaluation"]["sha256"] = edit
        else:
            forged["data"] = None
        (folder / "forged.json").write_text(json.dumps(forged))
        done = gatekeeper("report", "forged.json", "--policy", "policy.yaml")
        assert (done.returncode, done.stdout) == (2, "")
        assert said in done.stderr


@pytest.mark.parametrize("way", ["moved", pytest.param("copied", marks=pytest.mark.thorough), "with the model", "another model"])
def test_a_file_by_another_name_is_held_to_the_one_of_its_model(gatekeeper: Command, change: Path, way: str) -> None:
    folder = change.parent
    lax = change.read_text().replace(
        "gates: {", "gates: {accuracy: disabled, worst_class: disabled, outputs: disabled, package_size: {max: 9MB}, "
    )
    new = folder / "new.yaml"
    if way == "moved":
        git(folder, "mv", change.name, new.name)
    if way == "with the model":
        (folder / "elsewhere").mkdir()
        git(folder, "mv", "model.onnx", "elsewhere/model.onnx")
        lax = lax.replace("path: model.onnx", "path: elsewhere/model.onnx")
    elif way == "another model":
        shutil.copy(folder / "model.onnx", folder / "other.onnx")
        with (folder / "other.onnx").open("ab") as file:
            file.write(b"\xa2\x06\x01x")  # an unknown field: another content
        lax = lax.replace("path: model.onnx", "path: other.onnx")
    new.write_text(lax)
    assert gatekeeper("run", new).returncode == 0, "its own limits ask for nothing"
    for command in ("validate", "plan", "run"):
        done = gatekeeper(command, new, "--policy-ref", "main")
        if way == "another model":
            assert (done.returncode, done.stdout) == (2, "")
            assert "new.yaml is not at main at " in done.stderr
            assert "none of the pipeline files there (pipeline.yaml) is of the model other.onnx" in done.stderr
        elif command == "run":
            assert done.returncode == 1, "the accuracy that main asks for"
            assert "is held to pipeline.yaml there, which is of the same model" in comment_of(folder)
        else:
            assert done.returncode == 0, done.stderr


def test_the_base_may_let_new_models_in(gatekeeper: Command, change: Path) -> None:
    folder = change.parent
    text = change.read_text()
    change.write_text(text.replace("gates: {", "gates: {new_files: own, "))
    commit(folder, change.name)
    shutil.copy(folder / "model.onnx", folder / "other.onnx")
    with (folder / "other.onnx").open("ab") as file:
        file.write(b"\xa2\x06\x01x")
    (folder / "new.yaml").write_text(text.replace("path: model.onnx", "path: other.onnx"))
    assert gatekeeper("plan", "new.yaml", "--policy-ref", "main").returncode == 0
    change.write_text(text.replace("gates: {", "gates: {new_files: refused, "))
    commit(folder, change.name)
    done = gatekeeper("plan", "new.yaml", "--policy-ref", "main")
    assert (done.returncode, done.stdout) == (2, "")
    assert "whose pipeline files say `new_files: refused`" in done.stderr


def test_the_action_follows_the_file_in_a_checkout_of_the_base(change: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from gatekeeper.errors import UsageError
    from gatekeeper.github.action import _held_by

    folder = change.parent
    git(folder, "worktree", "add", "-q", ".gatekeeper-base", "main", "--detach")
    (folder / "new.yaml").write_text(change.read_text())
    monkeypatch.chdir(folder)
    asked = {"POLICY": "base", "BASE": ".gatekeeper-base"}
    assert _held_by(asked | {"CONFIG": "pipeline.yaml"}) == Path(".gatekeeper-base/pipeline.yaml")
    assert _held_by(asked | {"CONFIG": "new.yaml"}) == Path(".gatekeeper-base/pipeline.yaml")
    (folder / "new.yaml").write_text(change.read_text().replace("path: model.onnx", "path: other.onnx"))
    with pytest.raises(UsageError, match=r"none of the pipeline files there \(pipeline.yaml\) is of the model other.onnx"):
        _held_by(asked | {"CONFIG": "new.yaml"})


def test_hard_links_to_one_image_are_one_example(gatekeeper: Command, tmp_path: Path) -> None:
    pytest.importorskip("PIL")
    from PIL import Image

    file = one_class(tmp_path)
    shutil.copy(tmp_path / "model.onnx", tmp_path / "m.onnx")
    x = (np.random.default_rng(0).random((60, 8, 8)) * 255).astype(np.uint8)
    _images_model(tmp_path / "model.onnx")
    for i, pixels in enumerate(x):
        place = tmp_path / "images" / f"class{int(pixels[:, :4].mean() > pixels[:, 4:].mean())}"
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(place / f"{i}.png")
    originals = sorted((tmp_path / "images").rglob("*.png"))
    for each in originals[:50]:
        for copy in range(3):
            os.link(each, each.with_name(f"{each.stem}-{copy}.png"))
    told = file.read_text().replace("{path: eval.npz}", "{path: images, image: {color: gray}}")
    file.write_text(told.replace("tabular_classification", "image_classification").replace("int8_dynamic", "fp16"))
    done = gatekeeper("run", file)
    assert done.returncode == 0, done.stdout
    found = data_of(tmp_path)["evaluation"]
    assert (found["examples"], found["distinct"], found["source"]) == (210, 60, "images")
    assert "71.4% of the evaluation set are copies of other examples (150 of 210)" in comment_of(tmp_path)
    for each in originals[:2]:
        each.unlink()
    for each in (tmp_path / "images").rglob("*-?.png"):
        each.unlink()
    assert gatekeeper("run", file).returncode == 4
    assert "58 distinct examples cannot show that 95 % is kept" in comment_of(tmp_path)


def _images_model(path: Path) -> None:
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    w = np.zeros((64, 2), np.float32)
    w[:, 1] = np.where(np.arange(64) % 8 < 4, 1.0, -1.0)
    nodes = [helper.make_node("Flatten", ["x"], ["f"]), helper.make_node("MatMul", ["f", "w"], ["scores"])]
    graph = helper.make_graph(
        nodes, "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 1, 8, 8])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["n", 2])],
        [numpy_helper.from_array(w, "w")],
    )  # fmt: skip
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)


LOADER = """\
import numpy as np
from helper import rows
def load():
    return rows("eval.npz")
def score(outputs, labels):
    return (outputs.argmax(axis=1) == labels).astype(float)
"""
HELPER = """\
import numpy as np
def rows(name):
    found = np.load(name)
    return {"x": found["x"]}, found["y"]
"""


def test_code_that_reads_and_judges_is_pinned_with_what_it_imports(gatekeeper: Command, tmp_path: Path) -> None:
    file = one_class(tmp_path)
    (tmp_path / "mine.py").write_text(LOADER)
    (tmp_path / "helper.py").write_text(HELPER)
    text = file.read_text().replace("{path: eval.npz}", "{loader: mine:load, metric: mine:score}")
    file.write_text(text)
    assert gatekeeper("run", file).returncode == 1
    found = data_of(tmp_path)
    assert found["code"].keys() == {"loader mine:load", "metric mine:score"}
    [code] = {each["sha256"] for each in found["code"].values()}
    assert found["code"]["metric mine:score"]["covers"] == ["helper.py", "mine.py"]
    loaded = found["evaluation"]["sha256"]
    file.write_text(text.replace("metric:", f"sha256: [{loaded}], code_sha256: [{code}], metric:"))
    assert gatekeeper("validate", file).returncode == 0
    assert gatekeeper("run", file).returncode == 1
    assert data_of(tmp_path)["evaluation"]["sha256"] == loaded, "the same arrays, whenever they are loaded"
    (tmp_path / "helper.py").write_text(HELPER.replace('found["y"]', 'found["y"] * 1'))
    done = gatekeeper("validate", file)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"metric mine:score (helper.py, mine.py) has the SHA-256 {data_of_code(file)}, and {file} pins {code}" in done.stderr
    assert gatekeeper("run", file).returncode == 4
    np.savez(tmp_path / "eval.npz", **skewed(tmp_path, "where no weight is"))
    (tmp_path / "helper.py").write_text(HELPER)
    assert gatekeeper("run", file).returncode == 4
    assert f"the evaluation set mine:load has the SHA-256 {data_of(tmp_path)['evaluation']['sha256']}" in comment_of(tmp_path)


def data_of_code(file: Path) -> str:
    from gatekeeper.data.code import covered

    return covered("mine:score", file.parent).sha256


def test_a_loader_that_rewrites_the_metric_is_found_out(gatekeeper: Command, tmp_path: Path) -> None:
    file = one_class(tmp_path)
    (tmp_path / "metric.py").write_text(
        "import numpy as np\ndef score(o, y):\n    return (o.argmax(axis=1) == y).astype(float)\n"
    )
    rewrite = 'open("metric.py", "a").write("\\ndef score(o, y):\\n    return np.ones(len(y))\\n")'
    (tmp_path / "mine.py").write_text(LOADER.replace("def load():\n", f"def load():\n    {rewrite}\n"))
    (tmp_path / "helper.py").write_text(HELPER)
    file.write_text(file.read_text().replace("{path: eval.npz}", "{loader: mine:load, metric: metric:score}"))
    done = gatekeeper("run", file)
    assert done.returncode == 4
    said = comment_of(tmp_path)  # where nothing keeps it from writing, it is seen afterwards
    assert "Read-only file system" in said or "the code of metric metric:score changed while it ran" in said


def test_code_that_is_other_code_afterwards_is_an_error(tmp_path: Path) -> None:
    from gatekeeper.config.load import load
    from gatekeeper.config.pins import code_of
    from gatekeeper.errors import NotMeasured
    from gatekeeper.legs.datasets import Sets, check_unchanged

    file = one_class(tmp_path)
    (tmp_path / "mine.py").write_text(LOADER)
    (tmp_path / "helper.py").write_text(HELPER)
    file.write_text(file.read_text().replace("{path: eval.npz}", "{loader: mine:load, metric: mine:score}"))
    loaded = load(file)
    before = Sets(code=code_of(loaded))
    check_unchanged(loaded, before)
    (tmp_path / "helper.py").write_text(HELPER + "\n")
    with pytest.raises(NotMeasured, match="the code of loader mine:load, metric mine:score changed while it ran"):
        check_unchanged(loaded, before)
