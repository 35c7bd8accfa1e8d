"""Finished runs as a folder that a demo shows: `FER_DEMO=FOLDER`, on any host, without their data sets.

It holds what such a demo needs and no more. Of a data set whose pictures are not published it holds names, labels and
figures: no frame, no crop, and nothing that was computed from them image by image.
"""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Iterable, Sequence
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
from fer_core.datasets.base import Dataset, Sample
from fer_core.datasets.fingerprint import data_config
from fer_core.datasets.generated.frames import GeneratedConfig, generate
from fer_core.datasets.images import load_rgb
from fer_core.datasets.open import open_dataset
from fer_core.datasets.pictures.parts import part_of
from fer_core.errors import ConfigError, DataError, StoreError
from fer_core.faces.extraction import read_crops
from fer_core.faces.finetuning import finetuned
from fer_core.learning.networks import onnx_files
from fer_core.learning.networks.backbones import BACKBONES
from fer_core.learning.networks.weight_status import weight_status
from fer_core.prediction.answers import file_name, jpeg
from fer_core.runs.jobs.adopt import adopt
from fer_core.storage.artifacts import CONFIG, Artifacts
from fer_core.storage.disk import FACES, RUNS
from fer_core.storage.store import Store, StoredRun
from fer_core.storage.sums import SUMS
from fer_core.storage.values import jsonable

from .checks import TABLES
from .published import DOCUMENT, SAMPLES, Published
from .report import finished, public_config

#: What may be shown of data sets: the pictures of none, of all, or only of those drawn by this project.
Pictures = Literal["none", "all", "generated"]

#: The path of an image whose picture is not published.
NOWHERE = Path("not-published")

#: Pixels of the longer side of a picture to try.
MOST_SIDE = 1600

#: What faces to try are drawn by, where no pictures are: other ones than any data set has.
DRAWN = GeneratedConfig(seed=21, ordinary=len(CLASSES), hard=0, movies=2)


def publish(
    store: Store,
    artifacts: Artifacts,
    settings: Settings,
    run_ids: Sequence[str],
    folder: Path,
    *,
    pictures: Pictures = "generated",
    samples: Sequence[str | Path] = (),
) -> Published:
    """Write finished runs into a new folder that a demo shows; those that vote in them come along.

    Args:
        pictures: whose data sets' frames and crops are published; the others have figures only.
        samples: pictures for visitors to try: names of frames of the runs' data sets, or files. Without any they are
            those of a data set whose pictures are published, else drawn ones.

    Raises:
        NotFoundError: there is no such run, or its networks are not here.
        DataError: pictures are asked for and the data set is not here as it was, or a picture can't be read.
        StoreError: a run is not finished, or the folder has something in it or can't be written.
    """
    if not run_ids:
        raise ConfigError("A demo must show a run", got="none", fix="Name one with --run")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise StoreError("What is published goes to a new or empty folder", got=str(folder))
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as partial:
        found = _Writer(store, artifacts, settings, Path(partial) / "demo").write(run_ids, pictures, samples)
        if folder.exists():
            folder.rmdir()
        shutil.move(Path(partial) / "demo", folder)
    return found


class _Writer:
    """Writes what is published into a new folder."""

    def __init__(self, store: Store, artifacts: Artifacts, settings: Settings, folder: Path) -> None:
        self.store, self.artifacts, self.settings, self.folder = store, artifacts, settings, folder
        self.copies = Artifacts(folder / "artifacts")

    def write(self, ids: Sequence[str], pictures: Pictures, samples: Sequence[str | Path]) -> Published:
        runs = self._with_members(ids)
        self.folder.mkdir()
        data: dict[str, Dataset] = {}
        sources: dict[str, str] = {}
        pictured = []
        for run in runs:
            if run.data not in sources:
                named = run.data_name or run.data
                source = sources[run.data] = f"{named} ({run.data[:4]})" if named in data else named
                shown = pictures == "all" or (pictures == "generated" and run.config.data.generated)
                pictured += [source] * shown
                data[source] = Dataset(
                    named,
                    source,
                    run.config.data.layout,
                    Path(),
                    self._images(run, shown),
                    generated=run.config.data.generated,
                )
        with closing(Store(self.folder / "fer.sqlite")) as target:
            for run in runs:
                self._run(run, sources[run.data], target, pictured=sources[run.data] in pictured)
        with closing(sqlite3.connect(self.folder / "fer.sqlite")) as file:
            file.execute("PRAGMA journal_mode = DELETE")  # nothing is written beside it when it is read
        trial = (
            self._samples(samples, runs, sources) if samples or not pictured else self._trial([], drawn=False)
        )
        found = Published(1, data, tuple(pictured), trial)
        (self.folder / PUBLISHED).write_bytes(DOCUMENT.dump_json(found))
        return found

    def _with_members(self, ids: Sequence[str]) -> list[StoredRun]:
        """Return runs by their ids, the first ones first, each once; those that vote stand behind their vote."""
        runs: dict[str, StoredRun] = {}
        todo = [self.store.whole_id(one) for one in ids]
        while todo:
            run = finished(self.store, todo.pop(0))
            runs.setdefault(run.id, run)
            if isinstance(run.config.model, VoteConfig):
                todo += [one for one in run.config.model.members if one not in runs]
        return list(runs.values())

    def _images(self, run: StoredRun, pictured: bool) -> tuple[Sample, ...]:
        """Return the images of a run's data set, copied where they are pictured, else as names and labels."""
        if pictured:
            place = Path("data") / run.data
            (self.folder / place).mkdir(parents=True)
            dataset = self._dataset(run)
            return tuple(
                replace(one, path=self._copied(one.path, place / f"{number:06d}"))
                for number, one in enumerate(dataset.samples)
            )
        key = run.config.crops_key()
        table = (
            read_crops(self.artifacts.open("crops", key)).table
            if self.artifacts.has("crops", key)
            else self.store.predictions(run.id).drop_duplicates("name")
        )
        return tuple(
            Sample(
                row["name"],
                NOWHERE,
                int(row["label"]),
                row.get("split") or None,
                row["group"],
                row.get("clip") or row["name"],
            )
            for row in table.sort_values("name").to_dict("records")
        )

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

    def _copied(self, path: Path, target: Path) -> Path:
        """Copy an image's file, or the part of one that it is; return where it lies in the folder."""
        part = part_of(path)
        target = target.with_suffix(".png" if part else path.suffix)
        if part:
            Image.fromarray(load_rgb(path)).save(self.folder / target)
        else:
            shutil.copyfile(path, self.folder / target)
        return target

    def _run(self, run: StoredRun, source: str, target: Store, *, pictured: bool) -> None:
        """Copy a run's row and tables, and what it answers with; with its pictures all that it left."""
        values = public_config(run.config)
        values["data"] |= {"source": source, "reading": {}}
        config = parse(RunConfig, values)
        if config.key() != run.id:
            raise StoreError(
                "A run must be of this version of FER Lab to be published", got=run.id, fix="Train it again"
            )
        tables = {}
        for name, columns in TABLES.items():
            rows = jsonable(getattr(self.store, name)(run.id)[list(columns)].to_numpy(dtype=object))
            tables[name] = [dict(zip(columns, row, strict=True)) for row in rows]
        row = {name: getattr(run, name) for name in ("created", "finished", "seconds", "extra")}
        adopt(target, config, row | {"summary": run.summary, "environment": run.environment}, tables)
        target.describe(run.id, name=run.name, tags=run.tags)
        model, definition = config.model, config.model_dump(mode="json")
        answers = isinstance(model, TransferConfig | RecogniserConfig | VoteConfig)
        if isinstance(model, TransferConfig):
            self.artifacts.open(RUNS, run.id)  # without networks it can't answer
            self._weights(run.config.transfer)
        if answers or pictured:  # what others are fitted to is made of pictures
            self._artifact(RUNS, run.id, definition)
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
        source = BACKBONES[model.backbone].weights
        path = weight_status(
            model.backbone, model.weights, self.settings.weights_dir, model.weights_file
        ).path
        if path and (model.weights_file or not (source and source.package)):
            (self.folder / "weights").mkdir(exist_ok=True)
            shutil.copyfile(path, self.folder / "weights" / path.name)

    def _samples(
        self, wanted: Sequence[str | Path], runs: Iterable[StoredRun], sources: dict[str, str]
    ) -> Dataset:
        """Copy pictures to try, without what else their files say; drawn ones where none are wanted."""
        if not wanted:
            return self._drawn()
        frames: dict[str, tuple[Path, str, str]] = {}
        if any(not Path(one).is_file() for one in wanted):  # a frame's name, then
            for run in {run.data: run for run in runs}.values():
                for frame in self._dataset(run).samples:
                    frames.setdefault(frame.name, (frame.path, sources[run.data], CLASSES[frame.label]))
        found = []
        for number, one in enumerate(wanted, 1):
            path, source, label = frames.get(str(one), (Path(one), "", ""))
            picture = Image.fromarray(load_rgb(path))
            picture.thumbnail((MOST_SIDE, MOST_SIDE))
            name = file_name(number, str(one))
            self._trial_folder.mkdir(exist_ok=True)
            (self._trial_folder / name).write_bytes(jpeg(np.asarray(picture)))
            found.append(Sample(name, Path("samples") / name, 0, group=source, written=label))
        return self._trial(found, drawn=False)

    def _drawn(self) -> Dataset:
        """Draw a face of each class to try."""
        with tempfile.TemporaryDirectory() as place:
            drawn = open_dataset(str(generate(DRAWN, Path(place) / "drawn", workers=1)))
            self._trial_folder.mkdir()
            found = []
            for one in sorted(drawn.samples, key=lambda one: one.label):
                target = self._copied(one.path, Path("samples") / f"drawn-{CLASSES[one.label]}")
                found.append(
                    replace(one, name=target.name, path=target, group="", written=CLASSES[one.label])
                )
        return self._trial(found, drawn=True)

    @property
    def _trial_folder(self) -> Path:
        return self.folder / "samples"

    @staticmethod
    def _trial(found: Sequence[Sample], *, drawn: bool) -> Dataset:
        return Dataset(SAMPLES, SAMPLES, "folders", Path("samples"), tuple(found), generated=drawn)
