"""Small trained models that answer at many places an example, and variants of them that are right, or wrong each in its way.

Each writes model.onnx, eval.npz, its variants and pipeline.yaml into a folder.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from kit.lazily import Lazily
from onnx import TensorProto, helper, numpy_helper

linear = Lazily("sklearn.linear_model")
multi = Lazily("sklearn.multiclass")

PIPELINE = """\
edge_ai_pipeline:
  stages: [model_validation, optimization]
  model: {{path: model.onnx, task: {task}}}
  dataset: {{{dataset}}}
  targets: [{{name: here, hardware: cpu, threads: 1}}]
  optimization:
    frameworks: []
    variants:
{variants}
  gates: {{speedup: disabled, memory: disabled, stability: disabled, accuracy: {{retention: 0.9}}}}
"""

TAGS = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC")
WORDS, TOKENS = 60, 20


def save(path: Path, nodes: Sequence[Any], inputs: Sequence[Any], output: Sequence[Any], weights: Mapping[str, Any]) -> None:
    initializers = [numpy_helper.from_array(np.asarray(array), name) for name, array in weights.items()]
    graph = helper.make_graph(list(nodes), "g", list(inputs), [value("scores", output)], initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, path)


def value(name: str, shape: Sequence[Any], kind: int = TensorProto.FLOAT) -> Any:
    return helper.make_tensor_value_info(name, kind, ["n", *shape])


def pipeline(folder: Path, task: str, dataset: str, variants: Sequence[str]) -> Path:
    file = folder / "pipeline.yaml"
    listed = "\n".join(f"      - {{name: {name}, path: {name}.onnx}}" for name in variants)
    file.write_text(PIPELINE.format(task=task, dataset=dataset, variants=listed))
    return file


def half(weight: Any) -> Any:
    """Rounded to half precision: nothing that anybody would see."""
    return np.asarray(weight, np.float16).astype(np.float32)


def broken(weight: Any, bias: Any) -> dict[str, tuple[Any, Any]]:
    """Weights [..., classes] and bias of variants: one that is right, and ways to be wrong."""
    classes = len(bias)
    never = np.where(np.arange(classes) == classes - 1, np.float32(-100), bias).astype(np.float32)
    few = np.where(np.arange(classes) > classes // 2, np.float32(-100), bias).astype(np.float32)
    order = np.roll(np.arange(classes), 1)
    return {
        "half": (half(weight), half(bias)),
        "constant": (weight * 0, bias),
        "one_lost": (weight, never),
        "half_lost": (weight, few),
        "swapped": (weight[..., order], bias[order]),
        "nan": (weight * np.float32("nan"), bias),
    }


# --- tokens -------------------------------------------------------------------------------------------------------------


def sentences(rng: Any, n: int) -> tuple[Any, Any, Any]:
    """Words, tags and which tokens are words: a word tells its tag nine times in ten."""
    length = rng.integers(6, TOKENS + 1, n)
    mask = (np.arange(TOKENS) < length[:, None]).astype(np.int64)
    tags = np.zeros((n, TOKENS), int)
    for row in tags:
        at = 0
        while at < TOKENS:
            kind = rng.choice(3, p=[0.7, 0.15, 0.15])
            run = 1 if kind == 0 else rng.integers(1, 4)
            row[at : at + run] = [0] if kind == 0 else [2 * kind - 1, *[2 * kind] * (len(row[at : at + run]) - 1)]
            at += run
    words = 1 + tags + len(TAGS) * rng.integers(0, (WORDS - 1) // len(TAGS), (n, TOKENS))
    words = np.where(rng.random((n, TOKENS)) < 0.05, rng.integers(1, WORDS, (n, TOKENS)), words)
    return words * mask, np.where(mask, tags, -100), mask


def tagger(folder: Path) -> Path:
    """A tag for each word of a padded sentence, by the word alone."""
    rng = np.random.default_rng(0)
    words, tags, mask = sentences(rng, 600)
    embedding = rng.standard_normal((WORDS, 24)).astype(np.float32)
    seen = mask[:200] == 1
    fitted = linear.LogisticRegression(C=100.0, max_iter=500).fit(embedding[words[:200][seen]], tags[:200][seen])
    weight, bias = fitted.coef_.T.astype(np.float32), fitted.intercept_.astype(np.float32)
    np.savez(folder / "eval.npz", input_ids=words[200:], attention_mask=mask[200:], labels=tags[200:])
    np.savez(folder / "unlabelled.npz", input_ids=words[200:], attention_mask=mask[200:])
    for name, (w, b) in {"model": (weight, bias), **broken(weight, bias)}.items():
        nodes = [
            helper.make_node("Gather", ["embedding", "input_ids"], ["e"]),
            helper.make_node("Cast", ["attention_mask"], ["m"], to=TensorProto.FLOAT),
            helper.make_node("Unsqueeze", ["m", "last"], ["m1"]),
            helper.make_node("Mul", ["e", "m1"], ["em"]),
            helper.make_node("MatMul", ["em", "w"], ["a"]),
            helper.make_node("Add", ["a", "b"], ["scores"]),
        ]
        inputs = [value(each, [TOKENS], TensorProto.INT64) for each in ("input_ids", "attention_mask")]
        weights = {"embedding": embedding, "last": np.array([-1]), "w": w, "b": b}
        save(folder / f"{name}.onnx", nodes, inputs, [TOKENS, len(TAGS)], weights)
    return pipeline(folder, "token_classification", f"path: eval.npz, classes: [{', '.join(TAGS)}]", list(broken(weight, bias)))


# --- pixels -------------------------------------------------------------------------------------------------------------

SIDE, KINDS = 24, 10


def pictures(rng: Any, n: int) -> tuple[Any, Any]:
    """Blocks of one colour each, and noise; a frame that nobody labelled. The last class is in one image of four."""
    colours = np.random.default_rng(5).uniform(-1, 1, (KINDS, 3))
    there = rng.integers(0, KINDS - 1, (n, 4, 4))
    there[: n // 4, 0, 0] = KINDS - 1
    labels = there.repeat(SIDE // 4, axis=1).repeat(SIDE // 4, axis=2)
    x = colours[labels].transpose(0, 3, 1, 2) + rng.standard_normal((n, 3, SIDE, SIDE)) * 0.2
    labels[:, 0] = 255
    return x.astype(np.float32), labels.astype(np.uint8)


def painter(folder: Path) -> Path:
    """A class for each pixel, by the pixels around it."""
    rng = np.random.default_rng(0)
    x, labels = pictures(rng, 360)
    patches = np.lib.stride_tricks.sliding_window_view(np.pad(x[:60], ((0, 0), (0, 0), (1, 1), (1, 1))), (3, 3), axis=(2, 3))
    features = patches.transpose(0, 2, 3, 1, 4, 5)[:, 1:].reshape(-1, 27)
    fitted = linear.LogisticRegression(max_iter=200).fit(features[::7], labels[:60, 1:].reshape(-1)[::7])
    weight, bias = fitted.coef_.T.astype(np.float32), fitted.intercept_.astype(np.float32)
    np.savez(folder / "eval.npz", x=x[60:], y=labels[60:])
    np.savez(folder / "unlabelled.npz", x=x[60:])
    for name, (w, b) in {"model": (weight, bias), **broken(weight, bias)}.items():
        kernel = w.T.reshape(KINDS, 3, 3, 3)
        nodes = [helper.make_node("Conv", ["x", "k", "b"], ["scores"], pads=[1, 1, 1, 1])]
        save(folder / f"{name}.onnx", nodes, [value("x", [3, SIDE, SIDE])], [KINDS, SIDE, SIDE], {"k": kernel, "b": b})
    return pipeline(folder, "semantic_segmentation", "path: eval.npz, ignore: 255", list(broken(weight, bias)))


# --- labels -------------------------------------------------------------------------------------------------------------

TOPICS = ("rain", "wind", "snow", "fog", "hail", "sun")


def reporter(folder: Path) -> Path:
    """Yes or no to six topics, of which the last is rarest."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((2400, 16)).astype(np.float32)
    truth = rng.standard_normal((16, len(TOPICS)))
    least = np.quantile(x @ truth, [0.5, 0.6, 0.7, 0.75, 0.8, 0.9])
    labels = (x @ truth + rng.standard_normal((2400, len(TOPICS))) * 0.5 > least).astype(np.int64)
    fitted = multi.OneVsRestClassifier(linear.LogisticRegression()).fit(x[:600], labels[:600])
    weight = np.stack([each.coef_[0] for each in fitted.estimators_], axis=1).astype(np.float32)
    bias = np.array([each.intercept_[0] for each in fitted.estimators_], np.float32)
    np.savez(folder / "eval.npz", x=x[600:], y=labels[600:])
    np.savez(folder / "unlabelled.npz", x=x[600:])
    for name, (w, b) in {"model": (weight, bias), **broken(weight, bias)}.items():
        nodes = [
            helper.make_node("MatMul", ["x", "w"], ["a"]),
            helper.make_node("Add", ["a", "b"], ["l"]),
            helper.make_node("Sigmoid", ["l"], ["scores"]),
        ]
        save(folder / f"{name}.onnx", nodes, [value("x", [16])], [len(TOPICS)], {"w": w, "b": b})
    dataset = f"path: eval.npz, classes: [{', '.join(TOPICS)}]"
    return pipeline(folder, "multi_label_classification", dataset, list(broken(weight, bias)))
