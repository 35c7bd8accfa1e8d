"""Finished runs on the same frames vote: the mean of what each says of frames that it had not learned from.

A vote is a run like any other, finished at once: it has a key, figures, intervals and an export. Nothing leaks that
did not leak before: members' folds must be the same frames, so that no member has trained on what it votes on, and a
member's temperature for a fold is fitted on the other folds' frames alone.
"""

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from fer_core.config.recognition import VoteConfig
from fer_core.config.run import ProtocolConfig, RunConfig, parse
from fer_core.errors import ConfigError, DataError
from fer_core.evaluation.metrics import apply_temperature, fit_temperature, lead
from fer_core.evaluation.metrics.probabilities import COLUMNS, as_columns, probabilities_of
from fer_core.learning.comparators.fitted import write_folds
from fer_core.learning.reporting import FoldResult
from fer_core.runs.jobs.queue import adopt
from fer_core.runs.pipeline.engine import describe_environment
from fer_core.runs.pipeline.summary import figures_of
from fer_core.storage.artifacts import Artifacts
from fer_core.storage.store import Store, StoredRun
from fer_core.storage.values import jsonable

from .rows import title

ROW = ["seed", "fold", "name"]
#: What a vote takes over from the run whose crops it shows.
FRAMES = ("statuses", "images", "missing_faces", "unreadable", "dropped", "rescued", "detector_data")
UNKNOWN = dict.fromkeys(("train_accuracy", "train_loss", "val_loss"))


def vote(
    store: Store, artifacts: Artifacts, members: Sequence[StoredRun], *, calibrated: bool = True
) -> StoredRun:
    """Let finished runs vote, or recall that they did.

    Args:
        members: two or more of one data set.
        calibrated: each member's probabilities first at the temperature that suits the other folds' frames, so that
            one that is too sure of itself does not outvote the rest.

    Raises:
        ConfigError: fewer than two, or nothing to calibrate on: no member has two folds.
        DataError: they are not finished, or not on the same frames in the same folds.
    """
    started = time.time()
    config = definition(members, calibrated=calibrated)
    if done := store.runs(ids=[config.key()], status=["done"]):
        return done[0]
    ordered = sorted(members, key=lambda run: run.id)
    tables = aligned(ordered, [store.predictions(run.id) for run in ordered])
    voices, temperatures = [probabilities_of(table) for table in tables], {}
    if calibrated:
        temperatures = {
            run.id: fit_temperature(values, tables[0]["label"])
            for run, values in zip(ordered, voices, strict=True)
        }
        voices = [_cross_fitted(table, values) for table, values in zip(tables, voices, strict=True)]
    mean = np.mean(voices, axis=0).astype(np.float32)
    predictions = tables[0].assign(**as_columns(mean))
    figures = _figures(ordered, predictions, config)
    figures["vote"] = {"temperatures": temperatures} | _against_best(ordered, tables, predictions)
    artifacts.ensure(
        "runs",
        config.key(),
        config.model_dump(mode="json"),
        lambda folder: write_folds(folder, *_folds(predictions)),
    )
    now = time.time()
    row = {"created": started, "finished": now, "seconds": now - started, "extra": {}}
    row |= {"summary": jsonable(figures), "environment": jsonable(describe_environment("cpu"))}
    told = [f"{title(run)}: {run.id}" for run in ordered]
    log = [{"line": number, "written": now, "text": text} for number, text in enumerate(told, 1)]
    records = jsonable(predictions.to_dict("records"))
    adopt(store, config, row, {"epochs": [], "predictions": records, "log": log})
    return store.run(config.key())


def definition(members: Sequence[StoredRun], *, calibrated: bool = True) -> RunConfig:
    """Return the definition of a vote. Raises as `vote` does."""
    ordered = sorted({run.id: run for run in members}.values(), key=lambda run: run.id)
    if len(ordered) < 2:
        raise ConfigError("a vote needs two runs or more", got=len(ordered))
    for run in ordered:
        if run.status != "done" or run.config.goal != "train" or isinstance(run.config.model, VoteConfig):
            raise DataError(
                "runs that vote must be done, and no votes", got=f"{run.id}: {title(run)}, {run.status}"
            )
    if len({run.config.data.fingerprint for run in ordered}) > 1:
        raise DataError(
            "runs that vote must be on one data set, the same frames excluded",
            got=", ".join(run.data_name for run in ordered),
        )
    trained = [run for run in ordered if run.protocol != "unseen"]
    protocols: list[ProtocolConfig] = [run.config.protocol for run in trained or ordered]
    if len({str(one.hashed()) for one in protocols}) > 1:
        raise DataError(
            "runs that vote must have the same protocol, folds and seeds",
            got=", ".join(sorted({one.name for one in protocols})),
            fix="Choose runs of one protocol; a recogniser goes with any",
        )
    if calibrated and (not trained or min(run.summary["folds"] for run in trained) < 2):
        raise ConfigError(
            "a calibrated vote needs two folds, to fit a temperature beside each",
            got="none with two",
            fix="Take the plain mean (--plain), or add a run with folds",
        )
    names = tuple(title(run) for run in ordered)
    model = parse(
        VoteConfig, {"members": [run.id for run in ordered], "calibrated": calibrated, "names": names}
    )
    first = ordered[0].config
    return RunConfig(data=first.data, faces=first.faces, model=model, protocol=protocols[0])


def aligned(members: Sequence[StoredRun], tables: Sequence[pd.DataFrame]) -> list[pd.DataFrame]:
    """Return members' predictions row by row on the same seeds, folds and frames; a recogniser's stand in each seed.

    Raises:
        DataError: they were not judged on the same frames in the same folds.
    """
    places = [table for run, table in zip(members, tables, strict=True) if run.protocol != "unseen"]
    leading = (places or list(tables))[0].sort_values(ROW).reset_index(drop=True)
    found = []
    for run, table in zip(members, tables, strict=True):
        on = ["name"] if run.protocol == "unseen" else ROW
        own = leading.drop(columns=list(COLUMNS)).merge(table[[*on, *COLUMNS]], how="inner", on=on)
        times = leading["seed"].nunique() if run.protocol == "unseen" else 1
        if not len(own) == len(leading) == times * len(table):
            raise DataError(
                "runs that vote must be judged on the same frames, held out in the same folds",
                got=f"{title(run)}: {len(own)} of {len(leading)} frames alike",
                fix="Choose runs with the same policy for frames without a face and the same protocol",
            )
        found.append(own.sort_values(ROW).reset_index(drop=True))
    return found


def _cross_fitted(table: pd.DataFrame, values: np.ndarray) -> np.ndarray:
    """Return a member's probabilities, each fold's at the temperature that suits the seed's other folds best."""
    labels, scaled = table["label"].to_numpy(), values.copy()
    for _, rows in table.groupby(["seed", "fold"]).indices.items():
        beside = (table["seed"] == table["seed"][rows[0]]) & (table["fold"] != table["fold"][rows[0]])
        temperature = fit_temperature(values[beside], labels[beside])
        scaled[rows] = apply_temperature(values[rows], temperature)
    return scaled


def _figures(members: Sequence[StoredRun], predictions: pd.DataFrame, config: RunConfig) -> dict[str, Any]:
    figures = figures_of(predictions)
    of_frames = {name: value for name, value in members[0].summary.items() if name in FRAMES}
    leaks = [run.summary["leakage"] for run in members]
    shares = {
        name: [leak[name] for leak in leaks if leak.get(name) is not None]
        for name in dict.fromkeys(name for leak in leaks for name in leak)
    }
    trained = [run.summary.get("trainable") for run in members]
    return {
        **figures,
        "validated": figures["images"],
        **of_frames,
        **UNKNOWN,
        "folds": 0 if config.protocol.name == "unseen" else predictions["fold"].nunique(),
        "trainable": None if None in trained else sum(trained),
        "leakage": {name: max(values, default=None) for name, values in shares.items()},
    }


def _against_best(
    members: Sequence[StoredRun], tables: Sequence[pd.DataFrame], predictions: pd.DataFrame
) -> dict[str, Any]:
    """Return the vote's lead on its best member on the same frames, with a paired interval and McNemar's p.

    Which member is best is told by the same frames, so the lead is a little pessimistic.
    """
    place = max(range(len(members)), key=lambda index: members[index].summary["val_accuracy"])
    best = members[place]
    return {"run": best.id, "name": title(best), **lead(tables[place], predictions)}


def _folds(predictions: pd.DataFrame) -> tuple[list[FoldResult], list[str]]:
    names = sorted(predictions["name"].unique())
    position = {name: index for index, name in enumerate(names)}
    folds = []
    for _, part in predictions.groupby(["seed", "fold"]):
        seed, fold = int(part["seed"].iloc[0]), int(part["fold"].iloc[0])
        places = part["name"].map(position).to_numpy(np.intp)
        folds.append(FoldResult(seed, fold, places, probabilities_of(part).astype(np.float32), ()))
    return folds, names
