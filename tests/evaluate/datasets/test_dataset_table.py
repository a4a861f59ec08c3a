from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from kit.datasets import ask, refusal, tensor


def write(folder: Path, text: str | bytes) -> Path:
    path = folder / "data.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


TABLE = "a,b,c,d,label\n1,2,3,4,0\n5,6,7,8.5,2\n"


def test_features_keep_their_order_and_labels_are_whole(tmp_path: Path):
    found = ask(write(tmp_path, TABLE))
    assert found.inputs["x"].tolist() == [[1, 2, 3, 4], [5, 6, 7, 8.5]]
    assert found.inputs["x"].dtype == np.float32
    assert found.labels.tolist() == [0, 2]
    assert found.labels.dtype == np.int64


def test_the_label_column_may_stand_anywhere(tmp_path: Path):
    found = ask(write(tmp_path, "a,truth,b,c,d\n1,9,2,3,4\n"), labels="truth")
    assert found.inputs["x"].tolist() == [[1, 2, 3, 4]]
    assert found.labels.tolist() == [9]


def test_labels_of_a_regression_keep_their_fractions(tmp_path: Path):
    assert ask(write(tmp_path, "a,b,c,d,y\n1,2,3,4,0.5\n1,2,3,4,2\n")).labels.tolist() == [0.5, 2.0]


def test_without_a_label_column_there_are_no_labels(tmp_path: Path):
    assert ask(write(tmp_path, "a,b,c,d\n1,2,3,4\n")).labels is None


@pytest.mark.parametrize("dtype", ["int64", "int32", "uint8", "int8"])
def test_whole_numbers_fit_a_model_of_any_whole_type(tmp_path: Path, dtype: str):
    found = ask(write(tmp_path, "a,b,c,d,y\n1,2,3,4,0\n"), tensor(dtype))
    assert found.inputs["x"].tolist() == [[1, 2, 3, 4]]
    assert found.inputs["x"].dtype == dtype


def test_fractions_do_not_fit_a_model_of_whole_numbers(tmp_path: Path):
    assert "the model expects int64" in refusal(write(tmp_path, TABLE), tensor("int64"))


@pytest.mark.parametrize("text", ["\ufeff" + TABLE, TABLE.replace("\n", "\r\n"), TABLE.replace(",", ", "), TABLE + "\n\n"])
def test_what_spreadsheets_write_is_read(tmp_path: Path, text: str):
    assert ask(write(tmp_path, text)).labels.tolist() == [0, 2]


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("", 1, "the file is empty"),
        ("a,b,c,d,y\n1,2,3,4,0\n1,2,3,0\n", 3, "4 values, the header has 5"),
        ("a,b,c,d,y\n1,2,3,4,0,9\n", 2, "6 values, the header has 5"),
        ("a,b,c,d,y\n\n1,2,x,4,0\n", 3, "'x' in column 'c' is not a finite number"),
        ("a,b,c,d,y\n1,2,3,4,cat\n", 2, "'cat' in column 'y' is not a finite number"),
        ("a,b,c,d,y\n1,2,,4,0\n", 2, "'' in column 'c' is not a finite number"),
        ('a,b,c,d,y\n1,2,"3\n3",4,0\n', 3, "is not a finite number"),
    ],
    ids=["empty", "short line", "long line", "text", "class name", "missing value", "line break in a value"],
)
def test_what_is_wrong_is_told_with_its_line(tmp_path: Path, text: str, line: int, says: str):
    path = write(tmp_path, text)
    message = refusal(path)
    assert message.startswith(f"{path}:{line}: ")
    assert says in message


def test_a_label_column_that_is_not_there(tmp_path: Path):
    path = write(tmp_path, TABLE)
    message = refusal(path, labels="truth")
    assert message.startswith(f"{path}:1: no column 'truth' (found a, b, c, d, label)")


def test_a_file_without_a_header_does_not_lose_its_first_example(tmp_path: Path):
    path = write(tmp_path, "1,2,3,4\n5,6,7,8\n")
    message = refusal(path)
    assert message.startswith(f"{path}:1: ")
    assert "column" in message


def test_a_header_alone_has_no_examples(tmp_path: Path):
    assert "no examples" in refusal(write(tmp_path, "a,b,c,d,y\n"))


@pytest.mark.parametrize("bad", ["nan", "inf", "-inf"])
@pytest.mark.parametrize("row", ["{},2,3,4,0", "1,2,3,4,{}"], ids=["feature", "label"])
def test_numbers_that_are_none_are_refused(tmp_path: Path, row: str, bad: str):
    assert "is not a finite number" in refusal(write(tmp_path, f"a,b,c,d,y\n1,2,3,4,1\n{row.format(bad)}\n"))


def test_an_infinite_feature_does_not_become_a_whole_number(tmp_path: Path):
    refusal(write(tmp_path, "a,b,c,d,y\n1,2,3,inf,1\n"), tensor("int64"))


def test_too_few_columns_are_told_as_a_shape(tmp_path: Path):
    assert "has shape 1x3, the model expects examplesx4" in refusal(write(tmp_path, "a,b,c,y\n1,2,3,0\n"))


def test_a_model_of_two_inputs_needs_another_format(tmp_path: Path):
    assert "the model has 2 inputs" in refusal(write(tmp_path, TABLE), tensor(), tensor(name="z"))


def test_bytes_that_are_no_text_are_refused_with_a_line(tmp_path: Path):
    path = write(tmp_path, b"a,b,c,d,y\n1,2,\xff\xfe,4,0\n")
    assert refusal(path).startswith(f"{path}:2: ")


def test_a_file_that_is_not_there_is_refused(tmp_path: Path):
    assert "nowhere.csv" in refusal(tmp_path / "nowhere.csv")


TOWNS = "town,x,kind\nZürich, 1,0\n,2.5,2\n"


def test_columns_are_texts_where_the_model_takes_texts(tmp_path: Path):
    found = ask(write(tmp_path, 'first,second,y\na,b c,1\n"d",,0\n'), tensor("string", ["n", 2]))
    assert found.inputs["x"].tolist() == [["a", "b c"], ["d", ""]] and found.labels.tolist() == [1, 0]


@pytest.mark.parametrize("shape", [["n", 1], ["n"]])
def test_each_of_several_inputs_takes_the_column_of_its_name(tmp_path: Path, shape: list[object]):
    path = write(tmp_path, TOWNS)
    found = ask(path, tensor("string", shape, "town"), tensor("float32", shape, "x"), labels="kind")
    assert found.inputs["town"].shape == found.inputs["x"].shape == (2, *([1] if len(shape) > 1 else []))
    assert (found.inputs["town"].ravel().tolist(), found.inputs["x"].ravel().tolist()) == (["Zürich", ""], [1, 2.5])
    assert found.labels.tolist() == [0, 2]


def test_columns_of_other_names_are_mapped_and_one_that_is_missing_is_told(tmp_path: Path):
    path, inputs = write(tmp_path, TOWNS), (tensor("string", ["n", 1], "place"), tensor("float32", ["n", 1], "x"))
    assert ask(path, *inputs, labels="kind", inputs={"place": "town"}).inputs["place"].tolist() == [["Zürich"], [""]]
    assert f"{path}:1: the model has 2 inputs" in refusal(path, *inputs, labels="kind")
    assert "none is 'place' (found town, x, kind)" in refusal(path, *inputs, labels="kind")


def test_an_input_of_more_numbers_than_a_column_has_is_told(tmp_path: Path):
    inputs = tensor("string", ["n", 1], "town"), tensor("float32", ["n", 5], "x")
    assert "'x' has shape 2x1, the model expects examplesx5" in refusal(write(tmp_path, TOWNS), *inputs, labels="kind")


def test_texts_that_are_not_utf8_are_refused_with_their_line(tmp_path: Path):
    path = write(tmp_path, TOWNS.encode("latin-1"))
    said = refusal(path, tensor("string", ["n", 1], "town"), tensor("float32", ["n", 1], "x"), labels="kind")
    assert said.startswith(f"{path}:2: column 'town' holds bytes that are no text")
