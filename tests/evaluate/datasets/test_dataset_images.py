from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from kit.datasets import ask, refusal, tensor
from PIL import Image

from gatekeeper.errors import NotMeasured

PIXELS = np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)  # height 6, width 8
NCHW = tensor(shape=("N", 3, 6, 8))


def picture(folder: Path, name: str, pixels: Any = PIXELS) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def folder(root: Path) -> Path:
    """Two classes: `cat` with two images, `dog` with one."""
    for name in ("cat/1.png", "cat/2.png", "dog/1.png"):
        picture(root / "images", name)
    return root / "images"


def listed(root: Path, table: str | bytes) -> Path:
    picture(root / "images", "a.png")
    picture(root / "images", "b.png")
    (root / "images" / "labels.csv").write_bytes(table if isinstance(table, bytes) else table.encode())
    return root / "images"


def test_subfolders_are_classes_in_the_order_of_their_names(tmp_path: Path):
    found = ask(folder(tmp_path), NCHW)
    assert found.labels.tolist() == [0, 0, 1]
    assert found.inputs["x"].shape == (3, 3, 6, 8)


def test_pixels_are_scaled_to_one_by_default(tmp_path: Path):
    image = ask(folder(tmp_path), NCHW).inputs["x"][0]
    assert np.allclose(image, PIXELS.transpose(2, 0, 1) / 255, atol=1e-6)
    assert image.dtype == np.float32


def test_mean_and_deviation_are_taken_per_channel_after_scaling(tmp_path: Path):
    mean, std = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
    image = ask(folder(tmp_path), NCHW, image={"mean": mean, "std": std}).inputs["x"][0]
    expected = (PIXELS / 255 - np.array(mean)) / np.array(std)
    assert np.allclose(image, expected.transpose(2, 0, 1), atol=1e-5)


def test_one_mean_stands_for_all_channels(tmp_path: Path):
    image = ask(folder(tmp_path), NCHW, image={"scale": 1.0, "mean": [127.5], "std": [127.5]}).inputs["x"][0]
    assert np.allclose(image, (PIXELS.transpose(2, 0, 1) - 127.5) / 127.5, atol=1e-5)


@pytest.mark.parametrize("key", ["mean", "std"])
def test_a_mean_for_another_number_of_channels_is_refused(tmp_path: Path, key: str):
    message = refusal(folder(tmp_path), NCHW, image={key: [0.5, 0.5]})
    assert f"`dataset.image.{key}` has 2 values for 3 channels" in message


def test_bgr_turns_the_channels_round(tmp_path: Path):
    image = ask(folder(tmp_path), NCHW, image={"color": "bgr", "scale": 1.0}).inputs["x"][0]
    assert (image == PIXELS.transpose(2, 0, 1)[::-1]).all()


def test_gray_has_one_channel(tmp_path: Path):
    image = ask(folder(tmp_path), tensor(shape=("N", 1, 6, 8)), image={"color": "gray", "scale": 1.0}).inputs["x"][0]
    assert np.allclose(image[0], PIXELS @ [0.299, 0.587, 0.114], atol=1)


def test_nhwc_keeps_the_channels_last(tmp_path: Path):
    image = ask(folder(tmp_path), tensor(shape=("N", 6, 8, 3)), image={"layout": "nhwc", "scale": 1.0}).inputs["x"][0]
    assert (image == PIXELS).all()


def test_the_wrong_layout_is_told_as_a_shape(tmp_path: Path):
    assert "has shape 3x3x6x8, the model expects examplesx6x8x3" in refusal(folder(tmp_path), tensor(shape=("N", 6, 8, 3)))


def test_resize_is_height_then_width(tmp_path: Path):
    found = ask(folder(tmp_path), tensor(shape=("N", 3, 12, 4)), image={"resize": [12, 4]})
    assert found.inputs["x"].shape == (3, 3, 12, 4)


def test_resize_keeps_an_even_colour(tmp_path: Path):
    picture(tmp_path / "images", "a/1.png", np.full((5, 9, 3), 100, np.uint8))
    image = ask(tmp_path / "images", tensor(shape=("N", 3, 4, 4)), image={"resize": [4, 4], "scale": 1.0}).inputs["x"]
    assert (image == 100).all()


def test_a_model_of_bytes_gets_the_bytes(tmp_path: Path):
    image = ask(folder(tmp_path), tensor("uint8", ("N", 3, 6, 8))).inputs["x"][0]
    assert (image == PIXELS.transpose(2, 0, 1)).all()


@pytest.mark.parametrize("kind", ["L", "RGBA", "P", "1", "CMYK"])
def test_any_kind_of_image_has_three_channels(tmp_path: Path, kind: str):
    path = tmp_path / "images" / "a" / ("1.tif" if kind == "CMYK" else "1.png")
    path.parent.mkdir(parents=True)
    Image.fromarray(PIXELS).convert(kind).save(path)
    assert ask(tmp_path / "images", NCHW).inputs["x"].shape == (1, 3, 6, 8)


def test_images_of_different_sizes_need_a_resize(tmp_path: Path):
    where = folder(tmp_path)
    picture(where, "dog/2.png", PIXELS[:4])
    assert "differ in size (2 sizes). Set `dataset.image.resize`" in refusal(where, NCHW)
    assert ask(where, NCHW, image={"resize": [6, 8]}).contents.examples == 4


def test_images_without_subfolders_have_no_labels(tmp_path: Path):
    picture(tmp_path / "images", "1.png")
    found = ask(tmp_path / "images", NCHW)
    assert found.contents.examples == 1
    assert found.labels is None


def test_other_files_and_hidden_folders_are_passed_over(tmp_path: Path):
    where = folder(tmp_path)
    (where / "cat" / "notes.txt").write_text("")
    (where / ".cache").mkdir()
    assert ask(where, NCHW).labels.tolist() == [0, 0, 1]


@pytest.mark.parametrize("subfolder", [False, True])
def test_a_folder_without_images_is_refused(tmp_path: Path, subfolder: bool):
    (tmp_path / "images" / "cat" if subfolder else tmp_path / "images").mkdir(parents=True)
    assert "no images in it" in refusal(tmp_path / "images", NCHW)


def test_a_model_of_two_inputs_needs_another_format(tmp_path: Path):
    assert "the model has 2 inputs" in refusal(folder(tmp_path), NCHW, tensor(name="z"))


@pytest.mark.parametrize("content", [b"", b"no image", b"\x89PNG\r\n\x1a\n" + b"\x00" * 50])
def test_a_file_that_is_no_image_is_named(tmp_path: Path, content: bytes):
    where = folder(tmp_path)
    (where / "dog" / "1.png").write_bytes(content)
    message = refusal(where, NCHW)
    assert "1.png: cannot be read as an image" in message


@pytest.mark.parametrize("suffix", ["png", "jpg", "bmp", "gif", "webp", "ppm"])
def test_an_image_cut_short_is_refused_or_still_whole(tmp_path: Path, suffix: str):
    path = picture(tmp_path / "images", f"a/1.{suffix}")
    whole = path.read_bytes()
    for keep in range(0, len(whole), max(1, len(whole) // 60)):
        path.write_bytes(whole[:keep])
        try:
            ask(tmp_path / "images", NCHW)
        except NotMeasured as error:
            assert error.kind == "data"


# --- labels.csv ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("table", ["file,label\nb.png,7\na.png,3\n", "\ufefffile,label,who\r\nb.png,7,me\r\na.png,3,you\r\n"])
def test_a_table_gives_the_order_and_the_labels(tmp_path: Path, table: str):
    assert ask(listed(tmp_path, table), NCHW).labels.tolist() == [7, 3]


@pytest.mark.parametrize(
    ("table", "line", "says"),
    [
        ("name,class\na.png,1\n", 1, "must be named file,label"),
        ("", 1, "must be named file,label"),
        ("file,label\na.png,1\nz.png,1\n", 3, "no image 'z.png'"),
        ("file,label\na.png,cat\n", 2, "the label 'cat' is not a class index"),
        ("file,label\na.png,\n", 2, "is not a class index"),
        ("file,label\na.png\n", 2, "is not a class index"),
        ("file,label\na.png,1.5\n", 2, "is not a class index"),
        ("file,label\na.png,--5\n", 2, "is not a class index"),
        ("file,label\na.png,²\n", 2, "is not a class index"),
    ],
)
def test_what_is_wrong_in_the_table_is_told_with_its_line(tmp_path: Path, table: str, line: int, says: str):
    where = listed(tmp_path, table)
    message = refusal(where, NCHW)
    assert message.startswith(f"{where / 'labels.csv'}:{line}: ")
    assert says in message


def test_a_table_that_is_no_utf8_is_refused(tmp_path: Path):
    assert "labels.csv" in refusal(listed(tmp_path, "file,label\nä.png,1\n".encode("latin-1")), NCHW)


def test_a_table_without_rows_has_no_images(tmp_path: Path):
    assert "no images" in refusal(listed(tmp_path, "file,label\n"), NCHW)
