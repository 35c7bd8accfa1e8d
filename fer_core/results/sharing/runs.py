"""A finished run as a zip that another installation imports: its figures, its networks, its fingerprints.

An import checks before it changes anything: the archive's hashes, that the definition gives the run's key, that the
summary follows from the predictions, and that the networks are this run's, of its shapes, with the predictions'
probabilities in their files and the answers to a probe that they gave where they were exported (`probe`: what that
shows, and what it doesn't). Networks are safetensors and plain arrays; nothing is unpickled.
"""

import platform
import re
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from pydantic import BaseModel

from fer_core import __version__
from fer_core.config.run import RunConfig, parse
from fer_core.datasets.base import readable
from fer_core.errors import ConfigError, DataError, StoreError
from fer_core.runs.jobs.queue import UNDER_WAY, adopt
from fer_core.storage.artifacts import Artifacts
from fer_core.storage.store import Store, StoredRun
from fer_core.storage.values import jsonable

from . import archive
from .checks import TABLES, Moment, Probe, RunDocument, check, check_networks, check_summary, records
from .report import finished, public_config

FORMAT, VERSION = "fer-lab-run", 2  # 2: with a probe
PROBE = "probe.json"
#: The documents of an archive, and the most bytes of each.
DOCUMENTS = {"run.json": 4 << 20, "epochs.json": 64 << 20, "log.json": 32 << 20, PROBE: 4 << 20}
DOCUMENTS["predictions.json"] = 128 << 20
NETWORKS = re.compile(r"networks/(seed\d{1,10}-fold\d{1,3}\.safetensors|precision\.json|folds\.(npz|json))")


@dataclass(frozen=True)
class Imported:
    """What an import found: the run's id, whether it was new here, and where it came from."""

    run_id: str
    new: bool
    origin: str


class About(BaseModel):
    """What the manifest says of a run beside its files."""

    run: str
    data: str
    origin: str = ""
    exported: Moment | None = None
    fer_lab: str = ""


def export_run(
    store: Store, artifacts: Artifacts, run_id: str, target: Path | IO[bytes], *, origin: str = ""
) -> None:
    """Write a finished run as a zip.

    Args:
        origin: where it comes from, shown where it is imported; this host's name unless given.

    Raises:
        NotFoundError: there is no such run, or its networks are not here.
        StoreError: it is not a finished training run, its networks are damaged, it is larger than an import takes,
            or the file can't be written.
    """
    run = finished(store, run_id)
    folder = artifacts.open("runs", run.id)
    about = {
        "format": FORMAT,
        "version": VERSION,
        "run": run.id,
        "data": run.data,
        "fer_lab": __version__,
        "origin": readable(origin) or platform.node(),
        "exported": time.time(),
    }
    try:
        archive.write(target, about, _files(store, run, folder))
    except OSError as error:
        raise StoreError("The archive must be written to a writable place", got=str(error)) from error


def _files(store: Store, run: StoredRun, folder: Path) -> Iterator[tuple[str, bytes | Path]]:
    from .networks import write_probe

    row = {name: getattr(run, name) for name in ("created", "finished", "seconds", "summary", "environment")}
    extra = {name: value for name, value in run.extra.items() if name != "imported"}
    documents: dict[str, Any] = {"run.json": row | {"config": public_config(run.config), "extra": extra}}
    documents |= {f"{name}.json": table for name, table in tables_of(store, run.id).items()}
    if run.config.trains_backbone:
        documents[PROBE] = write_probe(run.config, folder)
    for name, document in documents.items():
        if len(content := archive.encode(document)) > DOCUMENTS[name]:
            raise StoreError(f"A run's {name} may have {DOCUMENTS[name] >> 20} MiB", got=len(content))
        yield name, content
    for path in sorted(folder.iterdir()):
        if NETWORKS.fullmatch(name := f"networks/{path.name}"):
            yield name, path


def tables_of(store: Store, run_id: str) -> dict[str, dict[str, list[Any]]]:
    """Return a run's epochs, predictions and log by those names: columns, and rows as JSON has them."""
    tables = {
        "epochs": store.epochs(run_id),
        "predictions": store.predictions(run_id),
        "log": store.log(run_id),
    }
    return {
        name: {"columns": list(columns), "rows": jsonable(tables[name][list(columns)].to_numpy(dtype=object))}
        for name, columns in TABLES.items()
    }


def import_run(source: Path | IO[bytes], store: Store, artifacts: Artifacts) -> Imported:
    """Take in a run that another installation exported; again, it changes nothing.

    Raises:
        DataError: the archive is damaged, has been changed, or holds what it must not.
        StoreError: the same run is under way here, or the store can't be written.
    """
    with (
        archive.Bundle(
            source, format_name=FORMAT, version=VERSION, documents=DOCUMENTS, networks=NETWORKS
        ) as packed,
        tempfile.TemporaryDirectory() as folder,
    ):
        row = check(RunDocument, packed.document("run.json"), "run.json").model_dump(exclude_unset=True)
        about = check(About, packed.manifest, "manifest.json")
        config = _config(row, about)
        tables = {name: records(packed.document(f"{name}.json"), name) for name in TABLES}
        probe = check(Probe, packed.document(PROBE), PROBE) if config.trains_backbone else None
        staged = Path(folder)
        for name in packed.networks:
            packed.unpack(name, staged / name.removeprefix("networks/"))
        figures = check_summary(row["summary"], config, tables["predictions"])
        check_networks(staged, config, tables["predictions"], probe)
        mark = {"origin": about.origin[:200], "exported": about.exported, "at": time.time()}
        extra = {**row.get("extra", {}), "imported": mark | {"fer_lab": about.fer_lab[:40]}}
        new = _keep(
            store,
            artifacts,
            config,
            row | {"extra": extra, "summary": row["summary"] | figures},
            tables,
            staged,
        )
    return Imported(config.key(), new, mark["origin"])


def _config(row: Mapping[str, Any], about: About) -> RunConfig:
    """Return the definition, whose key and data are those that the manifest names; it names no path here."""
    try:
        config = parse(RunConfig, row["config"])
    except ConfigError as error:
        raise DataError(
            "An exported run must have a definition that this FER Lab understands", got=str(error)[:300]
        ) from error
    if config.goal != "train":
        raise DataError("An exported run must be a training", got=config.goal)
    for what, found, said in (
        ("key", config.key(), about.run),
        ("data fingerprint", config.data.whole.fingerprint, about.data),
    ):
        if found != said:
            raise DataError(
                f"An exported run's {what} must be that of its definition",
                got=f"{said!r} beside {found}"[:200],
                fix="The archive has been changed, or the versions of a step differ: export it again",
            )
    return parse(RunConfig, public_config(config))


def _keep(
    store: Store,
    artifacts: Artifacts,
    config: RunConfig,
    row: Mapping[str, Any],
    tables: Mapping[str, Sequence[Mapping[str, Any]]],
    staged: Path,
) -> bool:
    """Put the networks and then the row in their places; whatever fails takes the networks away again.

    A run that is done here keeps its own. Where an import of it is damaged, its networks are replaced.
    """
    known = store.runs(data=config.data.whole.fingerprint, limit=1)
    source = known[0].data_source if known else config.data.source
    here = config.model_copy(update={"data": config.data.model_copy(update={"source": source})})
    there = store.runs(ids=[config.key()])
    if there and there[0].status in ("queued", "running"):
        raise StoreError(UNDER_WAY, got=there[0].status, fix="Cancel it first, or wait until it is done")
    done = bool(there) and there[0].status == "done"
    if done and (artifacts.whole("runs", config.key()) or "imported" not in there[0].extra):
        return False

    def copy(place: Path) -> None:
        for left in place.iterdir():  # what an attempt at the same run has left
            shutil.rmtree(left) if left.is_dir() else left.unlink()
        for path in staged.iterdir():
            shutil.copy(path, place / path.name)

    artifacts.delete("runs", config.key())  # of a run that isn't done here, or damaged
    artifacts.ensure("runs", config.key(), here.model_dump(mode="json"), copy)
    try:
        return adopt(store, here, row, tables)
    except BaseException:
        artifacts.delete("runs", config.key())
        raise
