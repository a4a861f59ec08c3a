"""Options of MLX's techniques: each is seen in the shapes of the weights that lie in the artifact."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from kit.tiny_llm import VOCABULARY, write_llama
from safetensors import safe_open

from gatekeeper.data.prepared import write_prepared
from gatekeeper.errors import NotMeasured
from gatekeeper.frameworks import apple_mlx
from gatekeeper.frameworks._base import OptimizeJob
from gatekeeper.frameworks._options import options_of
from gatekeeper.models.files import assess

PROMPT = np.random.default_rng(0).integers(0, VOCABULARY, 20)
LAYERS = 2


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_llama(tmp_path_factory.mktemp("tiny"), num_hidden_layers=LAYERS)


def make(source: Path, technique: str, folder: Path, calibration: Path | None = None, **said: Any) -> Path:
    folder.mkdir()
    options = msgspec.convert(said, options_of(apple_mlx, technique))
    apple_mlx.optimize(
        OptimizeJob(
            source=source,
            destination=folder,
            technique=technique,
            device="cpu",
            vnni=False,
            calibration=calibration,
            options=options,
        )
    )
    return folder


def stored(folder: Path, source: Path) -> dict[str, tuple[int, int]]:
    """Bits and group of each layer, (0, 0) of one in floating point: from the shapes of what is stored, and of the original."""
    with safe_open(source / "model.safetensors", "np") as file:
        rows = {name: file.get_slice(name).get_shape() for name in file.keys() if len(file.get_slice(name).get_shape()) == 2}  # noqa: SIM118
    found = {}
    with safe_open(folder / "model.safetensors", "np") as file:
        names = set(file.keys())
        for name, (_, length) in rows.items():
            layer = name.removesuffix(".weight")
            scales = f"{layer}.scales"
            words = file.get_slice(name).get_shape()[1]
            grouped = (words * 32 // length, length // file.get_slice(scales).get_shape()[1]) if scales in names else (0, 0)
            found[layer] = grouped
    return found


def test_group_size_bits_by_layer_and_what_is_excluded(tiny: Path, tmp_path: Path) -> None:
    said = {"v_proj": 8, "model.layers.1.mlp.*": 6, "lm_head": 5}
    folder = make(tiny, "int4", tmp_path / "made", group_size=32, layers=said, exclude=["embed_tokens", "*.0.self_attn.q_proj"])
    found = stored(folder, tiny)
    named = {"lm_head": (5, 32), "model.embed_tokens": (0, 0), "model.layers.0.self_attn.q_proj": (0, 0)}
    named |= {f"model.layers.{i}.self_attn.v_proj": (8, 32) for i in range(LAYERS)}
    named |= {f"model.layers.1.mlp.{part}_proj": (6, 32) for part in ("down", "gate", "up")}
    assert {name: kind for name, kind in found.items() if kind != (4, 32)} == named
    [logits] = apple_mlx.open_session(folder, 1, "cpu").run({"tokens": PROMPT[None]})
    assert np.isfinite(logits).all()


def test_a_recipe_keeps_what_nobody_names(tiny: Path, tmp_path: Path) -> None:
    plain, named = (
        stored(make(tiny, "mixed_4_6", tmp_path / name, group_size=128, **said), tiny)
        for name, said in (("plain", {}), ("named", {"layers": {"q_proj": 8}}))
    )
    assert {kind for name, kind in plain.items()} == {(4, 128), (6, 128)}
    changed = {name for name in plain if plain[name] != named[name]}
    assert changed == {f"model.layers.{i}.self_attn.q_proj" for i in range(LAYERS)}
    assert {named[name] for name in changed} == {(8, 128)}


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"layers": {"vproj": 8}}, r"layers 'vproj' matches no layer; did you mean 'v_proj'\?"),
        ({"exclude": ["model.layers.7.*"]}, r"exclude 'model\.layers\.7\.\*' matches no layer"),
        (
            {"layers": {"v_proj": 8, "*.0.*": 6}},
            r"'v_proj' and layers '\*\.0\.\*' both mean 'model\.layers\.0\.",
        ),
        ({"layers": {"lm_head": 8}, "exclude": ["lm_head"]}, "both mean 'lm_head'"),
        ({"exclude": ["*"]}, "all layers are excluded"),
        ({"dwq": True}, r"`dwq` needs `dataset\.calibration`"),
    ],
)
def test_what_is_asked_for_and_not_there(tiny: Path, tmp_path: Path, said: dict[str, Any], expected: str) -> None:
    with pytest.raises(NotMeasured, match=expected):
        make(tiny, "int4", tmp_path / "made", **said)
    assert not list((tmp_path / "made").glob("*.safetensors"))


def test_a_layer_that_groups_do_not_divide_is_not_passed_over(tmp_path: Path) -> None:
    source = write_llama(tmp_path / "model", num_hidden_layers=1, intermediate_size=288)
    with pytest.raises(NotMeasured, match=r"mlp\.down_proj' has rows of 288, which groups of 64 do not divide"):
        make(source, "int4", tmp_path / "made", layers={"down_proj": 8})
    assert stored(make(source, "int4", tmp_path / "finer", group_size=32), source)["model.layers.0.mlp.down_proj"] == (4, 32)
    options = msgspec.convert({"group_size": 128}, options_of(apple_mlx, "int4"))
    assert options.unfit("int4", assess(source)) is None  # some rows are divided
    odd = write_llama(tmp_path / "odd", num_hidden_layers=1, hidden_size=192, head_dim=48, intermediate_size=320)
    assert "(192, 320) is a multiple of its group_size 128" in (options.unfit("int4", assess(odd)) or "")


def test_options_that_do_not_go_together(tiny: Path) -> None:
    kind = options_of(apple_mlx, "int4")
    assert [field for field, _ in msgspec.convert({"examples": 4, "learning_rate": 1e-4}, kind).wrong()] == [
        "examples",
        "learning_rate",
    ]
    assert not list(msgspec.convert({"dwq": True, "examples": 4, "learning_rate": 1e-4}, kind).wrong())
    assert "fewer than 8 bits" in (msgspec.convert({"dwq": True}, kind).unfit("int8", assess(tiny)) or "")
    assert msgspec.convert({"dwq": True, "layers": {"lm_head": 4}}, kind).unfit("int8", assess(tiny)) is None
    for unknown in ({"group_size": 48}, {"layers": {"v_proj": 7}}, {"bits": 4}):
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert(unknown, kind)
    with pytest.raises(msgspec.ValidationError, match="unknown field"):
        msgspec.convert({"group_size": 32}, options_of(apple_mlx, "fp16"))


def test_what_dwq_learns_leaves_the_packed_weights_and_answers_more_like_the_original(tmp_path: Path) -> None:
    """On text that it has not learned from; of a model so small that this takes a second without Metal."""
    small = {"hidden_size": 64, "head_dim": 16, "intermediate_size": 64, "num_hidden_layers": 1, "initializer_range": 0.15}
    source = write_llama(tmp_path / "model", **small)
    texts = np.random.default_rng(7).integers(0, VOCABULARY, (84, 32))
    (tmp_path / "calibration").mkdir()
    write_prepared(tmp_path / "calibration", {"tokens": texts[:80]}, None)
    said: dict[str, Any] = {"layers": {"*": 2}}
    plain = make(source, "int4", tmp_path / "plain", **said)
    learned = make(source, "int4", tmp_path / "learned", tmp_path / "calibration", **said, dwq=True, learning_rate=1e-2)
    with safe_open(plain / "model.safetensors", "np") as before, safe_open(learned / "model.safetensors", "np") as after:
        names = set(before.keys())
        assert names == set(after.keys())
        changed = {name for name in names if not np.array_equal(before.get_tensor(name), after.get_tensor(name))}
    assert changed and not {name for name in changed if f"{name.removesuffix('weight')}scales" in names}

    def log_probabilities(folder: Path) -> np.ndarray:
        session = apple_mlx.open_session(folder, 1, "cpu")
        logits = np.concatenate([session.run({"tokens": window[None]})[0][0] for window in texts[80:]]).astype(np.float64)
        return logits - np.log(np.exp(logits).sum(-1, keepdims=True))

    expected = log_probabilities(source)

    def divergence(folder: Path) -> float:
        return float((np.exp(expected) * (expected - log_probabilities(folder))).sum(-1).mean())

    assert divergence(learned) < 0.9 * divergence(plain)
