"""Layers ranked by how far the answers move when one of them alone is quantized. On calibration data only.

The model is quantized once, or not at all where the variant is there already. `rank` is what others call; the rest runs in a
worker, one layer a request, so that whoever waits sees it go on and may stop it.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from gatekeeper.errors import NotMeasured
from gatekeeper.explain.sensitivity._graph import Pair, Part
from gatekeeper.explain.sensitivity.divergence import divergence
from gatekeeper.making.workspace import Workspace
from gatekeeper.process.messages import Answer, Held, Request
from gatekeeper.process.scratch import scratch_folder
from gatekeeper.progress import Progress
from gatekeeper.records.explained import Layer, Ranking

EXAMPLES = 64
"""Calibration examples that are answered: a ranking by 64 agrees with one by all (rank correlation 0.97)."""
BUDGET_S = 120.0
SAY_EVERY_S = 10.0


class Begin(Request, frozen=True, kw_only=True):
    """Read both models, quantizing where there is no variant yet, and answer as the original does.

    `model` is the user's, `calibration` a prepared folder, `artifact` the folder or file that `technique` made of the model.
    `classes`: the answers' last axis is of classes. `folder` is where it may write.
    """

    model: str
    technique: str
    calibration: str
    folder: str
    artifact: str = ""
    vnni: bool = False
    threads: int = 1
    batch: int = 1
    examples: int = EXAMPLES
    classes: bool = True

    def answer(self, held: Held) -> Begun:
        """Hold the pair and what the original answers."""
        import onnx

        from gatekeeper.explain.sensitivity._models import models, readable
        from gatekeeper.explain.sensitivity._names import named

        original, quantized = models(self)
        pair = Pair(onnx.load(str(original)), onnx.load(str(quantized)))
        lab = Lab(pair, readable(self), self.threads, self.classes)
        held.put(lab)
        if not lab.parts:
            said = "its layers cannot be told apart: it computes no tensor of a layer that the original does too."
            raise NotMeasured("unsupported", said)
        nodes, layers = [pair.nodes(part) for part in lab.parts], [_layer(part) for part in lab.parts]
        own = onnx.load(self.model, load_external_data=False).graph
        names = named(own, [(each.output, each.node, each.operator) for each in layers])
        layers = [replace(each, exclude=name) for each, name in zip(layers, names, strict=True)]
        return Begun(layers=layers, nodes=nodes, together=lab.whole(), examples=lab.examples)


class Begun(Answer, frozen=True, kw_only=True):
    """The layers that there are, in the model's order, their divergence not measured yet, and the numbers of their nodes in the
    variant's graph.
    """

    layers: list[Layer]
    nodes: list[list[int]]
    together: float
    examples: int


class One(Request, frozen=True, kw_only=True):
    """Quantize one layer alone, by its place among those that were begun with."""

    index: int

    def answer(self, held: Held) -> Moved:
        """How far the answers move."""
        return Moved(divergence=held.get(Lab, "a layer before the models").alone(self.index))


class Moved(Answer, frozen=True, kw_only=True):
    """How far the answers have moved, in nats."""

    divergence: float

    def sensible(self, passed_ns: float) -> bool:
        """No divergence is negative."""
        return self.divergence >= 0


class Lab:
    """Both models in a worker, and what the original answers to the feeds."""

    def __init__(self, pair: Pair, feeds: Sequence[dict[str, Any]], threads: int, classes: bool):
        self.pair, self.feeds, self.threads, self.classes = pair, feeds, threads, classes
        self.parts = pair.parts()
        self.examples = sum(len(next(iter(feed.values()))) for feed in feeds)
        self._told = self._answers(pair.original.model)

    def whole(self) -> float:
        """The divergence of the quantized model itself."""
        return self._of(self.pair.quantized.model)

    def alone(self, index: int) -> float:
        """The divergence with one layer quantized."""
        return self._of(self.pair.alone(self.parts[index]))

    def _of(self, model: Any) -> float:
        return divergence(self._told, self._answers(model), self.classes)

    def _answers(self, model: Any) -> list[Any]:
        """Every output over all feeds, [examples, ...]; as the runtime computes it, with the kernels that a user gets."""
        import numpy as np
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads, options.log_severity_level = self.threads, 1, 3
        session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        answers = [session.run(None, feed) for feed in self.feeds]
        return [np.concatenate([np.atleast_1d(each) for each in output]) for output in zip(*answers, strict=True)]


@dataclass(frozen=True)
class Asked:
    """Of which model layers are ranked, as in `Begin`."""

    model: Path
    technique: str
    calibration: Path
    artifact: Path | None = None
    vnni: bool = False
    threads: int = 1
    batch: int = 1
    examples: int = EXAMPLES
    classes: bool = True


def rank(
    space: Workspace,
    asked: Asked,
    progress: Progress,
    budget_s: float = BUDGET_S,
    shares: Mapping[int, float] | None = None,
) -> Ranking:
    """The layers that a technique of ONNX Runtime quantizes, the most sensitive first, within a budget of seconds.

    `shares` are those of operators' time of the variant's nodes, by number, where a profile has them. `NotMeasured` where the
    models cannot be told apart by layers. The layers with most weights are asked first.
    """
    start = time.monotonic()
    with scratch_folder(space.scratch, "ranking-") as folder, space.opened(folder) as worker:
        request = Begin(
            model=str(asked.model.resolve()),
            technique=asked.technique,
            calibration=str(asked.calibration.resolve()),
            folder=str(folder),
            artifact=str(asked.artifact.resolve()) if asked.artifact else "",
            vnni=asked.vnni,
            threads=asked.threads,
            batch=asked.batch,
            examples=asked.examples,
            classes=asked.classes,
        )
        begun = worker.ask(request, Begun, space.timeout_s)
        order = sorted(range(len(begun.layers)), key=lambda i: -begun.layers[i].weights)
        found: list[Layer] = []
        said = start
        for number, index in enumerate(order, 1):
            if found and time.monotonic() - start > budget_s:
                break
            moved = worker.ask(One(index=index), Moved, space.timeout_s)
            share = _share(begun.nodes, index, shares) if shares else None
            found.append(replace(begun.layers[index], divergence=moved.divergence, share=share))
            if time.monotonic() - said > SAY_EVERY_S:
                said = time.monotonic()
                progress.note(f"{number} of {len(order)} layers ranked")
    return Ranking(
        layers=sorted(found, key=lambda layer: -layer.divergence),
        together=begun.together,
        examples=begun.examples,
        left=len(order) - len(found),
        seconds=time.monotonic() - start,
    )


def _share(nodes: Sequence[Sequence[int]], index: int, shares: Mapping[int, float]) -> float:
    """Of a layer's nodes; what several layers share counts in equal parts."""
    owners = Counter(node for each in nodes for node in each)
    return min(1.0, sum(shares.get(node, 0.0) / owners[node] for node in nodes[index]))


def unranked(error: NotMeasured) -> Ranking:
    """No ranking, and why."""
    return Ranking(reason=str(error))


def _layer(part: Part) -> Layer:
    return Layer(output=part.output, node=part.node, operator=part.operator, weights=part.weights, divergence=0.0)
