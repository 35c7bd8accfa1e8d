"""Runs that vote: on the same frames and folds alone, calibrated beside each fold, and held to their best member."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import URL

from fer_core.config.recognition import RecogniserConfig
from fer_core.config.run import DataConfig, Model, ProtocolConfig, RunConfig, TransferConfig
from fer_core.errors import ConfigError, DataError, FerError
from fer_core.evaluation.metrics import apply_temperature, fit_temperature, paired, summary
from fer_core.evaluation.metrics.probabilities import COLUMNS, as_columns, probabilities_of
from fer_core.results.sharing.runs import export_run, import_run
from fer_core.results.trust import trust_rows
from fer_core.results.votes import vote
from fer_core.runs.jobs.queue import adopt
from fer_core.storage.artifacts import Artifacts
from fer_core.storage.store import Store, StoredRun
from fer_core.storage.values import jsonable

IMAGES, SEEDS = 84, (0, 1)
NO_GROUPS = {"group": None, "group_known": 0.0, "detector": None}
NAMES = [f"{place:02d}.png" for place in range(IMAGES)]
LABELS = np.arange(IMAGES) % 7
UNSEEN = {"model": RecogniserConfig(), "protocol": ProtocolConfig(name="unseen")}
DATA = DataConfig(fingerprint="0123456789abcdef", name="noise")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(URL.create("sqlite", database=str(tmp_path / "fer.sqlite")))


def finished(
    store: Store,
    model: Model,
    protocol: ProtocolConfig,
    *,
    noise: int,
    sure: float = 3.0,
    folds: int = 3,
    images: int = IMAGES,
) -> StoredRun:
    """Keep a run whose answers lean towards the truth, `sure` times as loudly as its noise."""
    config = RunConfig(data=DATA, model=model, protocol=protocol)
    rng, parts = np.random.default_rng(noise), []
    for seed in protocol.seeds:
        logits = sure * (np.eye(7)[LABELS] + rng.normal(0, 0.9, (IMAGES, 7)))
        shares = (np.exp(logits) / np.exp(logits).sum(1, keepdims=True)).astype(np.float32)
        facts = {
            "seed": seed,
            "fold": (np.arange(IMAGES) + seed) // 7 % folds,
            "name": NAMES,
            "label": LABELS,
        }
        facts |= {"group": [f"movie{place // 12}" for place in range(IMAGES)], "face_status": "found"}
        parts.append(pd.DataFrame({**facts, **as_columns(shares)})[:images])
    table = pd.concat(parts, ignore_index=True).sample(frac=1, random_state=noise)
    figures: dict[str, Any] = summary(
        table["label"],
        probabilities_of(table),
        list(table["group"]),
        list(table["face_status"]),
        table["seed"],
        names=list(table["name"]),
    )
    figures |= dict.fromkeys(("train_accuracy", "train_loss", "val_loss")) | {
        "unreadable": 0,
        "missing_faces": 0,
    }
    figures |= {"leakage": {"image": 0.0, "clip": 0.1 * noise, **NO_GROUPS}, "folds": folds, "trainable": 5}
    row = {"created": 1.0, "finished": 2.0, "seconds": 1.0, "extra": {}, "environment": {}}
    records = jsonable(table.to_dict("records"))
    adopt(
        store, config, row | {"summary": jsonable(figures)}, {"epochs": [], "predictions": records, "log": []}
    )
    return store.run(config.key())


GROUPS = ProtocolConfig(name="group", folds=3, seeds=SEEDS)


def members(store: Store) -> list[StoredRun]:
    """Two trained runs, one of them far too sure of itself, and a recogniser."""
    return [
        finished(store, TransferConfig(), GROUPS, noise=1),
        finished(store, TransferConfig(unfreeze=2), GROUPS, noise=2, sure=40.0),
        finished(store, **UNSEEN, noise=3, folds=1),
    ]


def test_a_plain_vote_is_the_mean_in_every_seed(store: Store, tmp_path: Path) -> None:
    runs = members(store)
    found = vote(store, Artifacts(tmp_path), runs, calibrated=False)
    sides = [store.predictions(run.id).set_index(["seed", "name"]) for run in runs]
    for row in store.predictions(found.id).itertuples():
        each = [
            side.loc[(0 if run.protocol == "unseen" else row.seed, row.name)]
            for run, side in zip(runs, sides, strict=True)
        ]
        mean = np.mean([one[list(COLUMNS)].to_numpy(float) for one in each], axis=0)
        assert np.allclose([getattr(row, name) for name in COLUMNS], mean, atol=1e-6)
        assert (row.fold, row.label) == (each[0]["fold"], each[0]["label"])
    assert (found.protocol, found.summary["folds"], found.summary["trainable"]) == ("group", 3, 15)
    assert found.summary["leakage"] == {"image": 0.0, "clip": pytest.approx(0.3), **NO_GROUPS}


def test_a_temperature_is_fitted_on_the_other_folds_alone(store: Store, tmp_path: Path) -> None:
    runs = sorted(members(store), key=lambda run: run.id)
    found = vote(store, Artifacts(tmp_path), runs[::-1])
    place = store.predictions(found.id).set_index(["seed", "name"])[["fold", "label"]]
    for (seed, fold), part in place.groupby(["seed", "fold"]):
        voices = []
        for run in runs:
            own = store.predictions(run.id)
            own = own[own["seed"] == (0 if run.protocol == "unseen" else seed)].set_index("name")
            others = place.loc[seed][lambda rows, fold=fold: rows["fold"] != fold]
            rest = own.loc[others.index, list(COLUMNS)].to_numpy(float)
            temperature = fit_temperature(rest, others["label"])
            mine = own.loc[part.index.get_level_values("name"), list(COLUMNS)].to_numpy(float)
            voices.append(apply_temperature(mine, temperature))
        rows = store.predictions(found.id).query("seed == @seed").set_index("name")
        said = rows.loc[part.index.get_level_values("name"), list(COLUMNS)].to_numpy(float)
        assert np.allclose(said, np.mean(voices, axis=0), atol=1e-5)
    temperatures = found.summary["vote"]["temperatures"]
    assert max(temperatures, key=temperatures.get) == next(run.id for run in runs if run.unfreeze == 2)


def test_a_vote_is_held_to_its_best_member_and_recalled(store: Store, tmp_path: Path) -> None:
    runs, artifacts = members(store), Artifacts(tmp_path)
    found = vote(store, artifacts, runs)
    told = found.summary["vote"]
    best = max(runs, key=lambda run: run.summary["val_accuracy"])
    assert told["run"] == best.id
    gain, _ = paired(store.predictions(best.id), store.predictions(found.id))
    lead = gain.value
    interval = [None if end != end else pytest.approx(end) for end in gain.interval]
    assert (told["lead"], told["lead_interval"]) == (pytest.approx(lead), interval)
    assert found.summary["val_accuracy"] - best.summary["val_accuracy"] == pytest.approx(lead)
    (row,) = [text for what, text in trust_rows(found) if what.startswith("The vote's lead")]
    assert f"{100 * lead:+.1f} points" in row
    assert vote(store, artifacts, runs[::-1]).finished == found.finished
    assert len(store.runs(status=["done"])) == 4


def test_a_vote_is_exported_and_imported(store: Store, tmp_path: Path) -> None:
    found = vote(store, Artifacts(tmp_path / "here"), members(store))
    export_run(store, Artifacts(tmp_path / "here"), found.id, tmp_path / "vote.zip")
    there = Store(URL.create("sqlite", database=str(tmp_path / "there.sqlite")))
    assert import_run(tmp_path / "vote.zip", there, Artifacts(tmp_path / "there")).new
    assert there.run(found.id).summary == found.summary


def test_recognisers_alone_vote_without_calibration(store: Store, tmp_path: Path) -> None:
    runs = [
        finished(store, RecogniserConfig(mirror=mirror), UNSEEN["protocol"], noise=4 + mirror, folds=1)
        for mirror in (False, True)
    ]
    with pytest.raises(ConfigError, match="--plain"):
        vote(store, Artifacts(tmp_path), runs)
    found = vote(store, Artifacts(tmp_path), runs, calibrated=False)
    assert (found.protocol, found.summary["folds"]) == ("unseen", 0)


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (
            {"protocol": ProtocolConfig(name="stratified", folds=3, seeds=SEEDS)},
            "same protocol, folds and seeds",
        ),
        ({"protocol": GROUPS, "images": IMAGES - 1}, "judged on the same frames"),
        ({"protocol": GROUPS, "folds": 4}, "judged on the same frames"),
    ],
)
def test_other_folds_or_frames_are_refused(other: dict, said: str, store: Store, tmp_path: Path) -> None:
    one = finished(store, TransferConfig(), GROUPS, noise=1)
    two = finished(store, **{"model": TransferConfig(unfreeze=3), "noise": 2, **other})
    with pytest.raises(DataError, match=said):
        vote(store, Artifacts(tmp_path), [one, two])
    with pytest.raises(FerError, match="two runs or more"):
        vote(store, Artifacts(tmp_path), [one, one])
