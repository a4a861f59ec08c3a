"""What a ranked layer is called where it is to be left out."""

from __future__ import annotations

from typing import Any

from onnx import helper

from gatekeeper.explain.sensitivity._names import named


def graph(names: list[str]) -> Any:
    """conv -> relu -> conv -> relu, whose nodes are called so."""
    operators = ["Conv", "Relu", "Conv", "Relu"]
    tensors = ["x", "a", "b", "c", "d"]
    nodes = [
        helper.make_node(kind, [tensors[i], f"w{i}"] if kind == "Conv" else [tensors[i]], [tensors[i + 1]], name=names[i])
        for i, kind in enumerate(operators)
    ]
    return helper.make_graph(nodes, "g", [], [])


LAYERS = [("d", "", "Conv"), ("b", "", "Conv")]


def test_without_names_it_is_the_output_of_the_node_with_the_weights() -> None:
    assert named(graph([""] * 4), LAYERS) == ["c", "a"]


def test_with_a_name_it_is_that() -> None:
    assert named(graph(["one", "r", "two", "s"]), [("d", "two", "Conv"), ("b", "one", "Conv")]) == ["two", "one"]


def test_a_name_that_two_nodes_have_means_both() -> None:
    assert named(graph(["same", "r", "same", "s"]), [("d", "same", "Conv")]) == ["same"]


def test_what_the_model_has_no_longer_is_called_as_the_ranking_calls_it() -> None:
    assert named(graph([""] * 4), [("gone", "", "Conv")]) == ["gone"]
