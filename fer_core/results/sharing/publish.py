"""Finished runs as a folder that a demo shows: `FER_DEMO=FOLDER`, on any host, without their data sets.

It holds what such a demo needs and no more. Of a data set whose pictures are not published it holds names, labels and
figures: no frame, no crop, and nothing that was computed from them image by image.
"""

import shutil
import sqlite3
import tempfile
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL import Image

from fer_core.config.base import parse
from fer_core.config.recognition import OnnxConfig, RecogniserConfig, VoteConfig
from fer_core.config.run import CLASSES, RunConfig, TransferConfig
from fer_core.config.settings import PUBLISHED, Settings
from fer_core.datasets.base import TABLE_LAYOUT, Dataset, Sample
from fer_core.datasets.fingerprint import data_config
from fer_core.datasets.generated.frames import GeneratedConfig, generate
from fer_core.datasets.images import load_rgb
from fer_core.datasets.open import open_dataset
from fer_core.datasets.pictures.parts import part_of
from fer_core.errors import DataError, StoreError
from fer_core.faces.extraction import read_crops
from fer_core.faces.finetuning import finetuned
from fer_core.learning.networks import onnx_files
from fer_core.learning.networks.backbones import BACKBONES
from fer_core.learning.networks.weight_status import weight_status
from fer_core.prediction.answers import file_name, jpeg
from fer_core.runs.jobs.queue import adopt
from fer_core.storage.artifacts import CONFIG, Artifacts
from fer_core.storage.disk import FACES, RUNS
from fer_core.storage.store import Store, StoredRun
from fer_core.storage.sums import SUMS

from .published import DOCUMENT, SAMPLES, Published
from .report import finished, public_config
from .runs import tables_of

#: What may be shown of data sets: the pictures of none, of all, or only of those drawn by this project.
Pictures = Literal["none", "all", "generated"]

#: Pixels of the longer side of a picture to try, and what such faces are drawn by where there are no pictures.
MOST_SIDE = 1600
DRAWN = GeneratedConfig(seed=21, ordinary=len(CLASSES), hard=0, movies=7)


def publish(
    store: Store,
    artifacts: Artifacts,
    settings: Settings,
    run_ids: Sequence[str],
    folder: Path,
    *,
    pictures: Pictures = "generated",
    samples: Sequence[str | bytes] = (),
) -> Published:
    """Write finished runs into a new folder that a demo shows; those that vote in them come along.

    Args:
        pictures: whose data sets' frames and crops are published; of the others no more than figures are.
        samples: pictures for visitors to try: names of frames of the runs' data sets, or files, by path or as bytes.
            Without any they are those of a data set whose pictures are published, else drawn ones.

    Raises:
        NotFoundError: there is no such run, or its networks are not here.
        DataError: pictures are asked for and the data set is not here as it was, or a picture can't be read.
        StoreError: a run is not finished, or the folder has something in it or can't be written.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise StoreError("What is published goes to a new or empty folder", got=str(folder))
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as partial:
        made = Path(partial) / "demo"
        found = _Writer(store, artifacts, settings, made).write(run_ids, pictures, samples)
        if folder.exists():
            folder.rmdir()
        shutil.move(made, folder)
    return found


class _Writer:
    """Writes what is published into a new folder."""

    def __init__(self, store: Store, artifacts: Artifacts, settings: Settings, folder: Path) -> None:
        self.store, self.artifacts, self.settings, self.folder = store, artifacts, settings, folder
        self.copies = Artifacts(folder / "artifacts")
        self.sources: dict[str, str] = {}  # of the data sets, by their fingerprints

    def write(self, ids: Sequence[str], pictures: Pictures, samples: Sequence[str | bytes]) -> Published:
        runs = self._with_members([self.store.whole_id(one) for one in ids])
        self.folder.mkdir()
        data: dict[str, Dataset] = {}
        shown: list[str] = []
        whole_last = sorted(runs, key=lambda run: -len(run.config.data.excluded))
        for run in {run.data: run for run in whole_last}.values():
            about, name = run.config.data, run.data_name or run.data
            source = self.sources[run.data] = f"{name} ({run.data[:4]})" if name in data else name
            if about.layout != TABLE_LAYOUT and (
                pictures == "all" or (pictures == "generated" and about.generated)
            ):
                shown.append(run.data)
            images = self._copied(run) if run.data in shown else self._named(run)
            data[source] = Dataset(name, source, about.layout, Path(), images, generated=about.generated)
        with closing(Store(self.folder / "fer.sqlite")) as target:
            for run in runs:
                self._run(run, target, pictured=run.data in shown)
        with closing(sqlite3.connect(self.folder / "fer.sqlite")) as file:
            file.execute("PRAGMA journal_mode = DELETE")  # nothing is written beside it when it is read
        trial = self._samples(samples, runs) if samples or not shown else ()
        to_try = Dataset(SAMPLES, SAMPLES, "", Path(), trial, generated=not samples)
        found = Published(1, data, tuple(self.sources[one] for one in shown), to_try)
        (self.folder / PUBLISHED).write_bytes(DOCUMENT.dump_json(found))
        return found

    def _with_members(self, todo: list[str]) -> list[StoredRun]:
        """Return runs by their ids, each once; those that vote stand behind their vote."""
        runs: dict[str, StoredRun] = {}
        while todo:
            run = finished(self.store, todo.pop(0))
            runs.setdefault(run.id, run)
            if isinstance(run.config.model, VoteConfig):
                todo += [one for one in run.config.model.members if one not in runs]
        return list(runs.values())

    def _named(self, run: StoredRun) -> tuple[Sample, ...]:
        """Return the images of a run's data set as names and labels alone."""
        key, nowhere = run.config.crops_key(), Path("not-published")
        if self.artifacts.has("crops", key):
            table = read_crops(self.artifacts.open("crops", key)).table
        else:
            table = self.store.predictions(run.id).drop_duplicates("name").assign(split=None, clip="")
        columns = ("name", "label", "split", "group", "clip")
        rows = sorted(zip(*(table[name] for name in columns), strict=True))
        return tuple(
            Sample(name, nowhere, int(label), split or None, group, clip or name)
            for name, label, split, group, clip in rows
        )

    def _copied(self, run: StoredRun) -> tuple[Sample, ...]:
        """Copy the images of a run's data set, and return them."""
        place = Path("data") / run.data
        (self.folder / place).mkdir(parents=True)
        samples = []
        for number, one in enumerate(self._dataset(run).samples):
            part = part_of(one.path)
            path = place / f"{number:06d}{'.png' if part else one.path.suffix}"
            if part:
                Image.fromarray(load_rgb(one.path)).save(self.folder / path)
            else:
                shutil.copyfile(one.path, self.folder / path)
            samples.append(replace(one, path=path))
        return tuple(samples)

    def _dataset(self, run: StoredRun) -> Dataset:
        """Open the data set of a run. Raises DataError where it is not here as it was."""
        here, data = self.settings, run.config.data.whole
        found = open_dataset(
            data.source,
            layout=data.layout,
            reading=data.reading,
            demo_root=here.demo_data,
            roots=here.data_roots,
        )
        if data_config(found, cache=here.cache).fingerprint != run.data:
            raise DataError(
                "A data set whose pictures are published must be as it was when the run was made",
                got=f"{data.name}, which has changed",
                fix="Publish figures only: --pictures none",
            )
        return found

    def _run(self, run: StoredRun, target: Store, *, pictured: bool) -> None:
        """Copy a run's row and tables, and what it answers with; with its pictures all that it left."""
        values = public_config(run.config)
        values["data"] |= {
            "source": self.sources[run.data],
            "reading": {"exclude": run.config.data.reading.exclude},
        }
        config = parse(RunConfig, values)
        if config.key() != run.id:
            raise StoreError("A run must be of this version of FER Lab", got=run.id, fix="Train it again")
        names = ("created", "finished", "seconds", "extra", "summary", "environment")
        tables = {
            name: [dict(zip(table["columns"], row, strict=True)) for row in table["rows"]]
            for name, table in tables_of(self.store, run.id).items()
        }
        adopt(target, config, {name: getattr(run, name) for name in names}, tables)
        target.describe(run.id, name=run.name, tags=run.tags)
        model, definition = config.model, config.model_dump(mode="json")
        if isinstance(model, TransferConfig):
            self.artifacts.open(RUNS, run.id)  # raises where it has no networks to answer with
            self._weights(run.config.transfer)
        if pictured or isinstance(model, TransferConfig | RecogniserConfig | VoteConfig):
            self._artifact(RUNS, run.id, definition)  # what a comparator has learned are pictures
        if pictured:
            for kind, key in zip(FACES, (config.crops_key(), config.detections_key()), strict=True):
                self._artifact(kind, key, definition)
        if config.faces.detector:
            self._artifact(finetuned.KIND, config.faces.detector)
        if isinstance(model, RecogniserConfig) and isinstance(model.network, OnnxConfig):
            self._artifact(onnx_files.KIND, model.network.sha256)

    def _artifact(self, kind: str, key: str, config: dict[str, Any] | None = None) -> None:
        """Copy an artifact where it is here."""
        if not self.artifacts.has(kind, key):
            return
        source, left_out = self.artifacts.open(kind, key), shutil.ignore_patterns(CONFIG, SUMS)

        def copy(place: Path) -> None:
            shutil.copytree(source, place, dirs_exist_ok=True, ignore=left_out)

        self.copies.ensure(kind, key, config or self.artifacts.read_config(kind, key), copy)

    def _weights(self, model: TransferConfig) -> None:
        """Copy a backbone's weights, unless a Python package brings them wherever FER Lab is installed."""
        source, given = BACKBONES[model.backbone].weights, self.settings.weights_dir
        path = weight_status(model.backbone, model.weights, given, model.weights_file).path
        if path and (model.weights_file or not (source and source.package)):
            (self.folder / "weights").mkdir(exist_ok=True)
            shutil.copyfile(path, self.folder / "weights" / path.name)

    def _samples(self, wanted: Sequence[str | bytes], runs: Sequence[StoredRun]) -> tuple[Sample, ...]:
        """Keep pictures to try as JPEG, without what else their files say; drawn ones where none are wanted."""
        frames: dict[str, tuple[Path, str, str]] = {}
        if any(isinstance(one, str) and not Path(one).is_file() for one in wanted):  # a frame's name, then
            for run in {run.data: run for run in runs}.values():
                for frame in self._dataset(run).samples:
                    frames[frame.name] = frame.path, self.sources[run.data], CLASSES[frame.label]
        (self.folder / "samples").mkdir()
        found = []
        with tempfile.TemporaryDirectory() as place:
            if not wanted:
                drawn = open_dataset(str(generate(DRAWN, Path(place) / "drawn", workers=1)))
                frames = {str(one.path): (one.path, "", CLASSES[one.label]) for one in drawn.samples}
            for number, one in enumerate(wanted or frames, 1):
                own = one if isinstance(one, bytes) else Path(one)
                path, source, label = (own, "", "") if one not in frames else frames[str(one)]
                picture = Image.fromarray(load_rgb(path))
                picture.thumbnail((MOST_SIDE, MOST_SIDE))
                name = file_name(
                    number, path.name if wanted and isinstance(path, Path) else label or "picture"
                )
                target = Path("samples") / name
                (self.folder / target).write_bytes(jpeg(np.asarray(picture)))
                found.append(Sample(name, target, 0, group=source, written=label))
        return tuple(found)
