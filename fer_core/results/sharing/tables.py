"""What a finished run found, as tables for other programs: held-out predictions, splits, features."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from fer_core.config.run import CLASSES
from fer_core.config.settings import Settings
from fer_core.datasets.base import known_clips
from fer_core.datasets.open import open_dataset
from fer_core.errors import ConfigError, DataError, NotFoundError
from fer_core.evaluation.metrics.probabilities import probabilities_of
from fer_core.evaluation.protocols import draw
from fer_core.faces.extraction import read_crops
from fer_core.results.trust import held_out
from fer_core.storage.shared_artifacts import artifacts_of
from fer_core.storage.store import Store, StoredRun
from fer_core.storage.values import defused_table

from .report import finished

#: The layout whose labels are annotators' votes.
VOTED = "ferplus"


def predictions(store: Store, settings: Settings, run_id: str) -> pd.DataFrame:
    """Return a row per held-out image, fold and seed: no network was trained on what it answers here.

    Columns: run, protocol, seed, fold, image, group, status (what became of its face), label, predicted, correct, a
    probability a class, 0 to 1, and of FERPlus `agreement`, the share of annotators who gave the label (NaN where the
    data set is no longer there). Under a protocol that leaks, relatives of an image may have been trained on.

    Raises:
        StoreError: the run is not done.
    """
    run = finished(store, run_id)
    found = store.predictions(run.id)
    said, shares = held_out(found), probabilities_of(found)
    return pd.DataFrame(
        {
            "run": run.id,
            "protocol": run.config.protocol.name,
            "seed": found["seed"],
            "fold": found["fold"],
            "image": found["name"],
            "group": found["group"],
            "status": found["face_status"],
            "label": said["true"],
            "predicted": said["said"],
            "correct": said["right"],
            **{name: shares[:, index] for index, name in enumerate(CLASSES)},
            **_agreement(run, settings, found["name"]),
        }
    )


def _agreement(run: StoredRun, settings: Settings, names: pd.Series) -> dict[str, pd.Series]:
    """Return the share of annotators behind each label as a column, where the data set's labels are votes."""
    data = run.config.data
    if data.layout != VOTED:
        return {}
    try:
        known = open_dataset(data.source, layout=VOTED, reading=data.reading, roots=settings.data_roots)
    except DataError:
        return {"agreement": names.map({})}
    return {"agreement": names.map({one.name: one.agreement for one in known.samples})}


def splits(store: Store, settings: Settings, run_id: str) -> pd.DataFrame:
    """Return a row per image, fold and seed: seed, fold, image, label, group, part ('train' or 'validation').

    Under the per-epoch reshuffle `part` is that of the last epoch, and `seen` whether any epoch trained on the image.

    Raises:
        StoreError: the run is not done, or its faces are not on this host.
    """
    run = finished(store, run_id)
    artifacts, key = artifacts_of(settings), run.config.crops_key()
    if run.config.model.kind in ("bdnn", "mlp", "svm") and not artifacts.has("crops", key):
        raise NotFoundError(
            "a run's images must be on this host to list its splits", got=f"no crops of {run.id}"
        )
    used = read_crops(artifacts.open("crops", key)).used()
    epochs = run.config.epochs
    tables = []
    folds = draw(
        run.config.protocol,
        used["label"].to_numpy(copy=True),
        list(used["group"]),
        known_clips(used["name"], used["clip"]),
        list(used["split"]),
    )
    for fold in folds:
        parts = dict(zip(("train", "validation"), fold.split(epochs), strict=True))
        seen = set(fold.seen(epochs).tolist())
        for part, rows in parts.items():
            some = used.iloc[rows]
            tables.append(
                pd.DataFrame(
                    {
                        "run": run.id,
                        "seed": fold.seed,
                        "fold": fold.fold,
                        "image": some["name"],
                        "label": np.array(CLASSES)[some["label"].to_numpy(dtype=int)],
                        "group": some["group"],
                        "part": part,
                        "seen": [int(row) in seen for row in rows],
                    }
                )
            )
    return pd.concat(tables, ignore_index=True)


def features(store: Store, settings: Settings, run_id: str) -> pd.DataFrame:
    """Return what enters the head of each of a run's networks: a row per image and network, of length 1.

    Columns: run, seed, fold, image, label, group, trained (whether this network was trained on the image), f0 ... fD.

    Raises:
        StoreError: the run is not done, or has no networks or faces on this host.
    """
    from fer_core.prediction.predictor import Predictor

    run = finished(store, run_id)
    predictor = Predictor.load(run.id, run.config, settings)
    bank = predictor.bank()
    used = bank.crops.used()
    tables = []
    for number, (seed, fold) in enumerate((one.seed, one.fold) for one in predictor.trained):
        about = {
            "run": run.id,
            "seed": seed,
            "fold": fold,
            "image": used["name"],
            "label": np.array(CLASSES)[used["label"].to_numpy(dtype=int)],
            "group": used["group"],
            "trained": bank.trained[number],
        }
        values = bank.features[number]
        figures = pd.DataFrame(values, columns=[f"f{index}" for index in range(values.shape[1])])
        tables.append(pd.concat([pd.DataFrame(about).reset_index(drop=True), figures], axis=1))
    return pd.concat(tables, ignore_index=True)


#: What a run gives, by the name of the command and of the button.
TABLES: dict[str, Callable[[Store, Settings, str], pd.DataFrame]] = {
    "predictions": predictions,
    "splits": splits,
    "features": features,
}


def csv_text(table: pd.DataFrame) -> str:
    """Return a table as CSV in which no cell is a formula."""
    return str(defused_table(table).to_csv(index=False))


def writer(path: Path) -> Callable[[pd.DataFrame, Path], object]:
    """Return what writes a table to a file as this path's ending says: .csv (formulas defused) or .parquet.

    Raises:
        ConfigError: the ending is another.
    """
    writers: dict[str, Callable[[pd.DataFrame, Path], object]] = {
        ".csv": lambda table, file: file.write_text(csv_text(table), encoding="utf-8"),
        ".parquet": lambda table, file: table.to_parquet(file, index=False),
    }
    if found := writers.get(path.suffix.lower()):
        return found
    raise ConfigError(
        "a table must be .csv or .parquet", got=repr(path.name), fix="Give the file such an ending"
    )
