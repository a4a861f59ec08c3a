"""The parent's side of evaluation: datasets, predictions and comparisons, made by workers and kept by content."""

from __future__ import annotations

import secrets
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec

from gatekeeper.config.also import for_set
from gatekeeper.config.loaded import Loaded
from gatekeeper.config.sections.also import AlsoSet
from gatekeeper.data.content import content, of_folder
from gatekeeper.data.draw import draw, loudest, sizes
from gatekeeper.data.feeds import made_up, write_feeds
from gatekeeper.data.overlap import FILE_NAME as EXAMPLES
from gatekeeper.data.prepared import FORM, PreparedDataset, check_prepared
from gatekeeper.errors import NotMeasured
from gatekeeper.evaluate import heaviest
from gatekeeper.evaluate.answers import collect
from gatekeeper.evaluate.apart import predict_apart, unseen
from gatekeeper.evaluate.compared import comparison_of, scores_of
from gatekeeper.evaluate.metrics._base import family
from gatekeeper.evaluate.own_metric import AskMetric
from gatekeeper.evaluate.predict import Predict, Predicted
from gatekeeper.evaluate.prepare import Prepare, Prepared
from gatekeeper.evaluate.reading import reading_of
from gatekeeper.evaluate.score import Looks, Score, Scored
from gatekeeper.evaluate.tasks._base import Reading, named_by
from gatekeeper.evaluate.text.prompts import timed_prompts
from gatekeeper.evaluate.unroll import Unroll, Unrolled
from gatekeeper.frameworks._base import framework, reference
from gatekeeper.frameworks._spec import ModelSpec, TextSpec, text_spec
from gatekeeper.hardware.machine import this_machine
from gatekeeper.making.optimize import package_versions
from gatekeeper.making.workspace import Workspace
from gatekeeper.models.files import digest
from gatekeeper.models.fit import Fit
from gatekeeper.models.info import Assessment
from gatekeeper.models.layout import Constant, Layout
from gatekeeper.process.messages import Done
from gatekeeper.records.answers import Answers
from gatekeeper.records.evidence import Comparison
from gatekeeper.version import version

PLAIN = Layout()

SEQUENCES = "token_classification"
"""What a model is taken for that is asked step by step, and of which the file does not say what it does."""

NOT_OF_DATA = ("path", "calibration", "metric", "range", "also", "sha256", "calibration_sha256", "code_sha256")
"""Keys of a set's section that change nothing of how it is prepared."""

TIMED_INPUTS = 32
TIMED_BYTES = 64 << 20


@dataclass(frozen=True)
class Evaluation:
    """Evaluates models of one pipeline in one workspace."""

    space: Workspace
    loaded: Loaded
    model: Assessment
    identity: str = ""  # of the model
    frameworks: tuple[str, ...] = ()  # of the legs that run here
    layout: Layout = PLAIN  # as far as the pipeline file says it
    constants: dict[str, Constant] = field(default_factory=dict)  # that the evaluation set has told
    contents: dict[Path, tuple[str, str]] = field(default_factory=dict)  # where a prepared set is from, and its digest
    decoded: dict[bytes, Path] = field(default_factory=dict)  # predictions that the user's decode has read
    seed: int = field(default_factory=lambda: secrets.randbits(63))  # of the order in which it gets them

    def on(self, also: AlsoSet) -> Evaluation:
        """The same with a further evaluation set as its only one."""
        return replace(self, loaded=for_set(self.loaded, also))

    @cached_property
    def seen(self) -> Assessment:
        """The model as it is asked: with the examples first, and without inputs that are one value for all of them."""
        return self.layout.seen(self.model)

    def laid(self) -> Layout:
        """How the model takes its examples; `NotMeasured` where it takes a value that nobody has told."""
        whole = msgspec.structs.replace(self.layout, constants=self.constants | self.layout.constants)
        if lacking := [each.name for each in self.layout.untold(self.model) if each.name not in whole.constants]:
            said = f"the model's input '{lacking[0]}' is one value for all examples. "
            raise NotMeasured("data", f"{said}Say it with `inputs: {{{lacking[0]}: {{constant: ...}}}}`.")
        return whole

    def prepared(self, calibration: bool = False) -> Path | None:
        """The evaluation (or calibration) set as plain arrays; None if the file names none."""
        dataset = self.loaded.pipeline.dataset
        name = dataset.calibration if dataset and calibration else dataset.path if dataset else None
        if dataset is None or (calibration and name is None):
            return None
        if calibration:
            dataset = msgspec.structs.replace(dataset, limit=None)
        dataset = msgspec.structs.replace(dataset, also=[])
        path = self.loaded.folder / name if name else None
        request = {
            "dataset": msgspec.to_builtins(dataset),
            "path": str(path.resolve()) if path else None,
            "folder": str(self.loaded.folder.resolve()),
            "labelled": not calibration,
            "inputs": msgspec.to_builtins(self.seen.inputs),
            "task": self.task,
            "text": self.text(),
            "scalars": msgspec.to_builtins(self.layout.untold(self.model)),
            "layout": self.layout,
        }

        def make(folder: Path) -> dict[str, Any]:
            asked = Prepare(**request, destination=str(folder))
            if path is None:
                self.space.ask_own(asked, Prepared, folder)
            else:
                self.space.ask_clerk(asked, Prepared)
            return {}

        if path is None:  # a loader may answer differently each time
            folder = Path(tempfile.mkdtemp(dir=self.space.scratch))
            make(folder)
            check_prepared(folder, dataset.loader or "")
            whole = self._stepped(self._told(folder)) if calibration else self._told(folder)
            self.contents[whole] = dataset.loader or "", _of_arrays(folder)
            return whole
        beside = None if calibration else dataset.annotations
        read = content(path, beside)
        options = {k: v for k, v in request["dataset"].items() if k not in NOT_OF_DATA}
        key = {"form": FORM, "data": [path.suffix, read], "options": options, "inputs": request["inputs"]}
        key |= {"labelled": False} if calibration else {"labelled": True, "task": self.task}
        if request["scalars"] or not self.layout.plain:
            key |= {"scalars": request["scalars"], "layout": msgspec.to_builtins(self.layout)}
        if self.model.text:
            key |= {"tokenizer": self.identity, "metric": dataset.metric}  # which says how long answers may be

        def make_unchanged(folder: Path) -> dict[str, Any]:
            make(folder)
            if content(path, beside) != read:
                raise NotMeasured("data", f"{path} changed while it was read. Leave it alone while a run lasts.")
            return {}

        kept = self.space.cache.get_or_make("datasets", key | {"gatekeeper": version()}, make_unchanged)[0]
        whole = self._stepped(self._told(kept)) if calibration else self._told(kept)
        self.contents[whole] = name or "", read
        return whole

    def _stepped(self, dataset: Path) -> Path:
        """A calibration set of which every step is an example, where the model's examples are sequences."""
        if not self.layout.carries:
            return dataset
        name = reference(self.model.format) or self.frameworks[0]
        folder = Path(tempfile.mkdtemp(dir=self.space.scratch))
        spec = self.spec(name, Path(self.model.path), 1, "cpu")
        request = Unroll(spec=spec, dataset=str(dataset), destination=str(folder), batch_size=self.batch_size())
        self.space.ask(request, Unrolled)
        shutil.copy(dataset / EXAMPLES, folder)  # what is in both sets is asked of whole examples
        return folder

    def _told(self, folder: Path) -> Path:
        """A prepared set, of which the values are kept that it has told."""
        if self.layout.untold(self.model):
            for name, each in PreparedDataset(folder).contents.layout.constants.items():
                if self.constants.setdefault(name, each) != each:
                    raise NotMeasured("data", f"'{name}' has one value in the evaluation set and another in the calibration set.")
        return folder

    @property
    def task(self) -> str | None:
        """What the model does: said in the file, or by its metric."""
        pipeline = self.loaded.pipeline
        if pipeline.model and pipeline.model.task:
            return pipeline.model.task
        if self.model.text:
            return "text_generation"
        metric = pipeline.dataset.metric if pipeline.dataset else None
        told = named_by(metric) if metric else None
        return SEQUENCES if told is None and self.layout.carries and not (metric and family(metric)) else told

    def reading(self, dataset: Path) -> Reading:
        """How the judged output is read, beside a prepared dataset."""
        contents = PreparedDataset(dataset).contents
        return reading_of(self.loaded, self.task, contents.label_shape if contents.labelled else None)

    @property
    def output(self) -> str | None:
        """The output that the metric reads, where the file names it."""
        return self.loaded.pipeline.model.output if self.loaded.pipeline.model else None

    def text(self) -> TextSpec | None:
        """What workers must know of a text model; None for others."""
        able = (name for name in self.frameworks if hasattr(framework(name), "open_tokenizer"))
        return text_spec(self.model, Path(self.model.path), next(able, next(iter(self.frameworks), "")))

    def batch_size(self) -> int:
        """Examples per inference: the model's own batch where it is fixed."""
        if self.model.text:
            return 1
        return self.seen.fixed_batch or self.loaded.pipeline.measure.batch_size

    def spec(self, name: str, artifact: Path, threads: int, device: str, fit: Fit | None = None) -> ModelSpec:
        """How workers open the model, or a variant of it, which may have names of its own."""
        path, text, fit = str(artifact.resolve()), self.text(), fit or Fit()
        return ModelSpec(
            framework=name,
            artifact=path,
            threads=threads,
            device=device,
            text=text,
            inputs=fit.inputs,
            outputs=fit.outputs,
            layout=self.laid(),
        )

    def predictions(self, spec: ModelSpec, sha256: str, dataset: Path) -> Path:
        """The judged output of a model over the dataset, as a .npy file."""
        output, reading = self.output, self.reading(dataset)
        machine = this_machine()
        key = {
            "artifact": sha256,
            "form": "every output, heaviest inputs",
            "dataset": [digest(f) for f in sorted([*dataset.glob("input*.npy"), *dataset.glob("prompts.json")])],
            "framework": spec.framework,
            "packages": package_versions(spec.framework, self.model.format),
            "reading": reading,
            "settings": [spec.threads, spec.device, self.batch_size(), output, spec.inputs, spec.outputs, spec.layout],
            "machine": [machine.cpu, machine.isa],
            "gatekeeper": version(),
        }

        def make(folder: Path) -> dict[str, Any]:
            request = Predict(
                spec=spec,
                dataset=str(dataset),
                destination=str(folder / "predictions.npy"),
                batch_size=self.batch_size(),
                output=output,
                reading=reading,
            )
            if reading.own:
                predict_apart(self.space, request, self.seed, unseen(self.space, self.loaded, self.model.files))
            else:
                self.space.ask(request, Predicted, folder)
            return {}

        if reading.own:  # the user's code may answer otherwise in the next run
            name = msgspec.json.encode(key, order="deterministic")
            if name not in self.decoded:
                folder = Path(tempfile.mkdtemp(dir=self.space.scratch))
                make(folder)
                self.decoded[name] = folder / "predictions.npy"
            return self.decoded[name]
        return self.space.cache.get_or_make("predictions", key, make)[0] / "predictions.npy"

    def compare(
        self, dataset: Path, baseline: Path, variant: Path, metric: str | None = None, looks: Looks = "all", bins: int = 0
    ) -> Comparison:
        """Paired scores of two models' predictions, by the pipeline file's metric where none is named, and what else is seen."""
        import numpy as np

        metric = metric or (self.loaded.pipeline.dataset.metric if self.loaded.pipeline.dataset else None)
        folder = Path(tempfile.mkdtemp(dir=self.space.scratch))
        destination = folder / "scores.npy"
        request = Score(
            dataset=str(dataset),
            baseline=str(baseline),
            variant=str(variant),
            metric=metric,
            reading=msgspec.structs.replace(self.reading(dataset), metric=metric),
            folder=str(self.loaded.folder.resolve()),
            destination=str(destination),
            text=self.model.text is not None,
            range=self._range(),
            looks=looks,
            bins=bins,
        )
        if metric and ":" in metric:
            request = self._told_by_metric(request, folder)
        answer = self.space.ask_clerk(request, Scored)
        scores = scores_of(answer, np.load(destination)) if answer.examples else None
        shutil.rmtree(folder, ignore_errors=True)
        return comparison_of(answer, scores, looks)

    def _told_by_metric(self, request: Score, folder: Path) -> Score:
        """The request with what the user's metric says; nothing but its values comes from where it ran."""
        alone = folder / "own"
        alone.mkdir()
        told = str(alone / "told.npz")
        of_own = msgspec.structs.replace(request, destination=str(alone / "scores.npy"))
        self.space.ask_own(AskMetric(score=of_own, told=told), Done, alone)
        return msgspec.structs.replace(request, told=told)

    def _range(self) -> tuple[float, float] | None:
        """The declared range of one example's score."""
        declared = self.loaded.pipeline.dataset.range if self.loaded.pipeline.dataset else None
        return (declared[0], declared[1]) if declared else None

    def answers(self, predictions: Mapping[str, Path], dataset: Path) -> Answers | None:
        """What models answered, out of their predictions by name, small enough to travel beside a report."""
        about = self.loaded.pipeline.dataset
        return collect(predictions, dataset, self.reading(dataset), about.metric if about else None)

    def timed_inputs(self, dataset: Path | None, destination: Path, loud: bool = False) -> None:
        """Write the feeds that are timed and tested: real examples where there are any. `loud`: and the one with the largest
        numbers, second in line, which a batch of a few then holds.
        """
        import numpy as np

        batch = self.batch_size()
        if self.model.text:
            np.savez(destination, **timed_prompts(self.model.text, self.loaded.pipeline.measure, dataset))
            return
        if dataset is None:
            generator = np.random.default_rng(self.loaded.pipeline.measure.seed)
            feeds = [{t.name: made_up(generator, t, batch) for t in self.seen.inputs} for _ in range(4)]
        else:
            feeds = self._drawn(PreparedDataset(dataset), batch, loud)
        write_feeds(destination, feeds)

    def heavy_inputs(self, dataset: Path | None, predictions: Iterable[Path], destination: Path) -> bool:
        """Write the feeds with which models took most memory over the whole set; False where none are known."""
        indices = heaviest.read(predictions)
        if dataset is None or not indices:
            return False
        data, batch = PreparedDataset(dataset), self.batch_size()
        if max(indices) >= data.batches(batch):
            said = f"{heaviest.FILE} beside a model's predictions names input {max(indices)} of {data.batches(batch)}."
            raise NotMeasured("garbage", f"{said} Run again with another --cache-dir.")
        write_feeds(destination, [data.whole_batch(index, batch) for index in indices])
        return True

    def _drawn(self, data: PreparedDataset, batch: int, loud: bool) -> list[dict[str, Any]]:
        """Examples, or batches of consecutive ones, drawn evenly over the whole set and over its sizes."""
        measure, count = self.loaded.pipeline.measure, data.batches(batch)
        if measure.inputs == "all":
            most = count
        else:
            each = sum(array[0].nbytes for array in data.inputs.values()) * batch
            most = measure.inputs or max(1, min(TIMED_INPUTS, TIMED_BYTES // max(1, each)))
        large = sizes(data.inputs)
        of_batches = [max(large[i * batch : (i + 1) * batch]) for i in range(count)] if large else []
        chosen = draw(count, most, measure.seed, of_batches)
        if loud and (example := loudest(data.inputs)) is not None:
            second = example // batch
            chosen = [each for each in chosen if each != second] or [second]
            chosen[1:1] = [second] if chosen != [second] else []
        return [data.whole_batch(index, batch) for index in chosen]


def _of_arrays(folder: Path) -> str:
    """The digest of what a loader returned, as it was prepared."""
    found = [*folder.glob("input*.npy"), *folder.glob("labels.npy"), *folder.glob("slice*.npy")]
    return of_folder({file.name: digest(file) for file in found})
