"""A finished run as a zip that another installation imports: its figures, its networks, its fingerprints.

An import checks everything before it changes anything: the archive's hashes, that the definition gives the
run's key, that the summary follows from the predictions, and that the networks are this run's, of its
shapes, with the same held-out probabilities. Networks are safetensors and plain arrays; nothing is unpickled.
"""

from __future__ import annotations

import math
import platform
import re
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import pandas as pd

from fer_core import __version__
from fer_core.config.run import RunConfig, parse
from fer_core.errors import ConfigError, DataError, FerError, StoreError
from fer_core.runs.jobs.adopt import adopt
from fer_core.storage.artifacts import Artifacts
from fer_core.storage.store import Store, StoredRun
from fer_core.storage.values import jsonable

from . import archive
from .checks import EPOCH_COLUMNS, LOG_COLUMNS, PREDICTION_COLUMNS, check_networks, check_row, records
from .report import finished, public_config

FORMAT, VERSION = "fer-lab-run", 1
DOCUMENTS = re.compile(r"(run|epochs|predictions|log)\.json")
NETWORKS = re.compile(r"networks/(seed\d{1,10}-fold\d{1,3}\.safetensors|precision\.json|folds\.(npz|json))")


@dataclass(frozen=True)
class Imported:
    """What an import found: the run's id, whether it was new here, and where it came from."""

    run_id: str
    new: bool
    origin: str


def export_run(
    store: Store, artifacts: Artifacts, run_id: str, target: Path | IO[bytes], *, origin: str = ""
) -> None:
    """Write a finished run as a zip.

    Args:
        origin: what the importing side is told about where it comes from; this host's name unless given.

    Raises:
        NotFoundError: there is no such run, or its networks are not here.
        StoreError: it is not a finished training run, or the file can't be written.
    """
    run = finished(store, run_id)
    folder = artifacts.open("runs", run.id)
    about = {
        "format": FORMAT,
        "version": VERSION,
        "run": run.id,
        "data": run.data,
        "fer_lab": __version__,
        "origin": origin or platform.node(),
        "exported": time.time(),
    }
    try:
        archive.write(target, about, _files(store, run, folder))
    except OSError as error:
        raise StoreError("The archive must be written to a writable place", got=str(error)) from error


def _files(store: Store, run: StoredRun, folder: Path) -> Iterator[tuple[str, bytes | Path]]:
    row = {name: getattr(run, name) for name in ("created", "finished", "seconds", "summary", "environment")}
    extra = {name: value for name, value in run.extra.items() if name != "imported"}
    yield "run.json", archive.encode(row | {"config": public_config(run.config), "extra": extra})
    yield "epochs.json", _table(store.epochs(run.id), EPOCH_COLUMNS)
    yield "predictions.json", _table(store.predictions(run.id), PREDICTION_COLUMNS)
    yield "log.json", _table(store.log(run.id), LOG_COLUMNS)
    for path in sorted(folder.iterdir()):
        if NETWORKS.fullmatch(name := f"networks/{path.name}"):
            yield name, path


def _table(table: pd.DataFrame, columns: Mapping[str, type]) -> bytes:
    rows = jsonable(table[list(columns)].to_numpy(dtype=object))
    return archive.encode({"columns": list(columns), "rows": rows})


def import_run(source: Path | IO[bytes], store: Store, artifacts: Artifacts) -> Imported:
    """Take in a run that another installation exported; again, it changes nothing.

    Raises:
        DataError: the archive is damaged, has been changed, or holds what it must not.
        StoreError: the same run is under way here, or the store can't be written.
    """
    patterns = {"documents": DOCUMENTS, "networks": NETWORKS}
    with (
        archive.Bundle(source, format_name=FORMAT, version=VERSION, **patterns) as packed,
        tempfile.TemporaryDirectory() as folder,
    ):
        manifest, row = packed.manifest, packed.document("run.json")
        config = _config(row, manifest)
        origin = str(manifest.get("origin", ""))[:200]
        tables = {
            name: records(packed.document(f"{name}.json"), columns, name)
            for name, columns in (
                ("epochs", EPOCH_COLUMNS),
                ("predictions", PREDICTION_COLUMNS),
                ("log", LOG_COLUMNS),
            )
        }
        staged = Path(folder)
        for name in packed.networks:
            packed.unpack(name, staged / name.removeprefix("networks/"))
        check_row(row, config, tables["predictions"])
        check_networks(staged, config, tables["predictions"])
        new = _keep(store, artifacts, config, row | {"extra": _extra(row, manifest, origin)}, tables, staged)
    return Imported(config.key(), new, origin)


def _config(row: Any, manifest: Mapping[str, Any]) -> RunConfig:
    """Return the definition, whose key and data are those that the manifest names."""
    try:
        config = parse(RunConfig, dict(row["config"]))
    except (ConfigError, KeyError, TypeError, ValueError) as error:
        raise DataError(
            "An exported run must have a definition that this FER Lab understands", got=str(error)[:300]
        ) from error
    if config.goal != "train":
        raise DataError("An exported run must be a training", got=config.goal)
    for what, found, said in (
        ("key", config.key(), manifest.get("run")),
        ("data fingerprint", config.data.fingerprint, manifest.get("data")),
    ):
        if found != said:
            raise DataError(
                f"An exported run's {what} must be that of its definition",
                got=f"{said!r} beside {found}"[:200],
                fix="The archive has been changed, or the versions of a step differ: export it again",
            )
    return config


def _extra(row: Mapping[str, Any], manifest: Mapping[str, Any], origin: str) -> dict[str, Any]:
    extra = row.get("extra")
    exported = manifest.get("exported")
    mark = {
        "origin": origin,
        "exported": float(exported)
        if isinstance(exported, int | float) and math.isfinite(exported)
        else None,
        "at": time.time(),
        "fer_lab": str(manifest.get("fer_lab", ""))[:40],
    }
    return {**(extra if isinstance(extra, dict) else {}), "imported": mark}


def _keep(
    store: Store,
    artifacts: Artifacts,
    config: RunConfig,
    row: Mapping[str, Any],
    tables: Mapping[str, Sequence[Mapping[str, Any]]],
    staged: Path,
) -> bool:
    """Put the networks and then the row in their places; take the networks away again if the row fails."""
    known = store.runs(data=config.data.fingerprint, limit=1)
    source = known[0].data_source if known else config.data.source
    here = config.model_copy(update={"data": config.data.model_copy(update={"source": source})})
    if store.runs(ids=[config.key()], status=["done"]):
        return False
    had = artifacts.has("runs", config.key())

    def copy(place: Path) -> None:
        for left in place.iterdir():  # what an attempt at the same run has left
            shutil.rmtree(left) if left.is_dir() else left.unlink()
        for path in staged.iterdir():
            shutil.copy(path, place / path.name)

    if not had:
        artifacts.ensure("runs", config.key(), here.model_dump(mode="json"), copy)
    try:
        return adopt(store, here, row, tables["epochs"], tables["predictions"], tables["log"])
    except FerError:
        if not had:
            artifacts.delete("runs", config.key())
        raise
