"""FER Lab in Python: open a data set, find faces, train, results as DataFrames (`from fer_core import api`).

Everything is done in this process and kept in FER_HOME: what has been made is found again, and the pages show it too.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from fer_core.config import settings as settings_module
from fer_core.config.reading import Reading
from fer_core.config.run import FacesConfig, ProtocolConfig, RunConfig, parse
from fer_core.config.training import training_config
from fer_core.datasets import audit as auditing
from fer_core.datasets.base import Dataset
from fer_core.datasets.fingerprint import data_config
from fer_core.datasets.images import load_rgb
from fer_core.datasets.open import open_dataset
from fer_core.faces.extraction import read_crops
from fer_core.runs.jobs import executors
from fer_core.runs.jobs.queue import submit
from fer_core.runs.plans.requests import require_folds, transfer_configs
from fer_core.storage.shared_artifacts import artifacts_of
from fer_core.storage.store import Store, StoredRun

from .rows import done, run_row
from .sharing import tables

if TYPE_CHECKING:
    from torch.utils.data import TensorDataset


def dataset(source: str | Path = "demo", *, layout: str = "auto", **reading: str) -> Dataset:
    """Open a data set; `reading` are the fields of `Reading`, such as label_map='rafdb'. Raises DataError."""
    here = settings_module.load()
    declared = parse(Reading, reading)
    return open_dataset(
        source, layout=layout, reading=declared, demo_root=here.demo_data, roots=here.data_roots
    )


def audit(data: Dataset) -> auditing.AuditReport:
    """Look into every image and return what is wrong; `.understood` says how labels, groups and splits were read."""
    return auditing.audit(data, cache=settings_module.load().cache)


def detect(data: Dataset, **faces: Any) -> pd.DataFrame:
    """Find the face of every image; `faces` are the fields of `FacesConfig`.

    Returns:
        A row an image: name, label, split, group, clip, status, probability, box (x1, y1, x2, y2), landmarks, faces ...
    """
    _, here = _opened()
    described = data_config(data, cache=here.cache)
    run = _carried_out(RunConfig(goal="faces", data=described, faces=parse(FacesConfig, faces)))
    return read_crops(artifacts_of(here).open("crops", run.config.crops_key())).table


def train(
    data: Dataset,
    *,
    backbone: str = "resnet18",
    weights: str = "imagenet",
    unfreeze: int = 1,
    protocol: str = "group",
    folds: int = 5,
    seeds: Iterable[int] = (0,),
    recipe: str = "paper",
    faces: dict[str, Any] | None = None,
    **training: Any,
) -> str:
    """Train a run to its end, or recall it, and return its id; `training` are fields of the recipe, such as epochs=5.

    Raises:
        FerError: a setting is out of range, the folds can't be drawn, or the run failed.
    """
    drawn = parse(ProtocolConfig, {"name": protocol, "folds": folds, "seeds": tuple(seeds)})
    require_folds(data, drawn)
    (model,) = transfer_configs(backbone, weights, [unfreeze])
    values = {"data": data_config(data, cache=_opened()[1].cache), "faces": parse(FacesConfig, faces or {})}
    values |= {"model": model, "protocol": drawn, "training": training_config(recipe, **training)}
    return _carried_out(parse(RunConfig, values)).id


def results() -> pd.DataFrame:
    """Return every finished training: a row a run with protocol, folds, seeds, accuracy and interval, missing faces."""
    return pd.DataFrame([run_row(run) for run in _opened()[0].runs(goal="train", status=["done"])])


def predictions(run: str) -> pd.DataFrame:
    """Return a run's held-out predictions (`tables.predictions`)."""
    return tables.predictions(*_opened(), run)


def splits(run: str) -> pd.DataFrame:
    """Return what each fold trained and was judged on (`tables.splits`)."""
    return tables.splits(*_opened(), run)


def features(run: str) -> pd.DataFrame:
    """Return what enters the head of each network (`tables.features`)."""
    return tables.features(*_opened(), run)


def torch_dataset(run: str) -> TensorDataset:
    """Return a run's faces as a torch Dataset: (3, size, size) uint8 RGB and the label, an index into `CLASSES`."""
    import torch
    from torch.utils.data import TensorDataset

    store, here = _opened()
    key = store.run(run).config.crops_key()
    crops = read_crops(artifacts_of(here).open("crops", key))
    used = crops.used()
    images = torch.from_numpy(crops.images[: len(used)].transpose(0, 3, 1, 2).copy())
    return TensorDataset(images, torch.from_numpy(used["label"].to_numpy(dtype="int64", copy=True)))


def predict(run: str, images: Iterable[str | Path]) -> pd.DataFrame:
    """Find and classify the faces of image files: a row a face, as `answers.face_table`. Raises DataError."""
    from fer_core.prediction.answers import face_table
    from fer_core.prediction.loading import answerer

    store, here = _opened()
    predictor = answerer(store.run(run), here)
    return face_table((str(path), predictor.predict([load_rgb(path)])[0]) for path in images)


def _opened() -> tuple[Store, settings_module.Settings]:
    here = settings_module.load()
    return Store(here.database), here


def _carried_out(config: RunConfig) -> StoredRun:
    store, here = _opened()
    run_id, _ = submit(store, config)
    if not store.run(run_id).ended:
        executors.EXECUTORS[here.executor].work(here, until_idle=True, only=run_id)
    return done(store.run(run_id))
