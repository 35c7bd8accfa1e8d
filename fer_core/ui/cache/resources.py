"""The only Streamlit caches: handles for the life of the server, tables and pictures within bounds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
import pandas as pd
import streamlit as st

from fer_core.config import settings as settings_module
from fer_core.config.reading import AS_IT_IS, Reading
from fer_core.config.run import DataConfig, FacesConfig, ProtocolConfig, RunConfig
from fer_core.config.settings import Settings
from fer_core.datasets.audit import AuditReport
from fer_core.datasets.audit import audit as audit_dataset
from fer_core.datasets.base import Dataset
from fer_core.datasets.fingerprint import data_config as describe
from fer_core.datasets.images import load_rgb
from fer_core.datasets.open import DEMO, open_dataset
from fer_core.errors import DataError, FerError, NotFoundError, StoreError, UndrawnError, UnopenedError
from fer_core.faces.crops import Faces
from fer_core.faces.extraction import Progress, read_crops, read_detections
from fer_core.faces.finding import detectors, find_faces
from fer_core.faces.mtcnn.trace import Trace
from fer_core.faces.rescue import DetectorOf, rescue
from fer_core.faces.trial import attempt, pick
from fer_core.learning.networks.weight_status import can_download
from fer_core.prediction import limits
from fer_core.results.ranking import Place, rank
from fer_core.runs.plans.preparation import drawn, preparation, prepared
from fer_core.runs.plans.requests import faces_per_frame, newest_detection, require_folds
from fer_core.storage.artifacts import Artifacts, free_bytes
from fer_core.storage.disk import KindUse, by_kind, stored
from fer_core.storage.home import open_store
from fer_core.storage.public_store import PublicStore
from fer_core.storage.shared_artifacts import artifacts_of
from fer_core.storage.store import NamedData, Store, StoredRun

from .computed import Turn, computed
from .crop_facts import CropFacts
from .figures import chart as chart
from .finished_runs import HASHES, Compared
from .publication import published

T = TypeVar("T")

#: Finished runs of one data set that are compared at most: the newest.
MOST_RUNS = 2000


@st.cache_resource(show_spinner=False)
def settings() -> Settings:
    """Return this installation's settings, read once."""
    return settings_module.load()


@st.cache_resource(show_spinner=False)
def store() -> Store:
    """Return the open database; on a demo read-only, with what was published or the runs on generated faces alone."""
    here = settings()
    return PublicStore(here.database, read_only=True) if here.demo is True else open_store(here)


@st.cache_resource(show_spinner=False)
def reader() -> Store:
    """Return the database opened read-only, for those who may only look; made first where there is none."""
    store()
    return Store(settings().database, read_only=True)


@st.cache_resource(show_spinner=False)
def artifacts() -> Artifacts:
    """Return the folder of artifacts."""
    return artifacts_of(settings())


@st.cache_data(ttl=600, show_spinner=False)
def disk_use() -> tuple[list[KindUse], int]:
    """Return what each kind of artifact takes on this host, and the bytes that are free beside them."""
    return by_kind(stored(artifacts())), free_bytes(settings().home)


@st.cache_resource(ttl=10, show_spinner=False)
def brought() -> dict[str, NamedData]:
    """Return the data sets that people have brought, by name, the newest first."""
    return store().data_sets()


def bring(one: NamedData | None, *, forget: str = "") -> None:
    """Keep a data set under its name, or forget one; every page finds it so from then on."""
    if one:
        store().name_data(one)
    else:
        store().forget_data(forget)
    for kept in (brought, sources, dataset, data_config, _audit):
        kept.clear()


def called(source: str) -> str:
    """Return the newest name that a path was brought under, or the source itself."""
    names = brought()
    if source in names:
        return source
    return next((name for name, one in names.items() if one.source == source), source)


@st.cache_data(ttl=10, show_spinner=False)
def sources() -> list[str]:
    """Return the data sets to choose from: what was published, or the demo, what was brought, whatever has been run."""
    if shown := published():
        return list(shown.data)
    run = (source for source in store().sources() if source not in (DEMO, ""))
    return list(dict.fromkeys([DEMO, *brought(), *map(called, run)]))


@st.cache_resource(ttl=300, max_entries=8, show_spinner="Opening the data set ...")
def dataset(source: str) -> Dataset:
    """Open a data set by its name or path, read as it was brought, or as its latest run declared.

    Raises:
        UndrawnError: the generated one is being made, or has yet to be.
        UnopenedError: it can't be opened so.
    """
    if shown := published():
        return shown.opened(source)
    if source == DEMO:
        ready = drawn(settings())
        if settings().demo and not ready:
            raise StoreError(
                "A hosted demo must have been prepared",
                got=f"no generated set in {settings().demo_data}",
                fix="Run `python -m fer_core demo --prepare` once, without FER_DEMO",
            )
        run = preparation(store())
        if not ready or (run is not None and not run.ended):
            raise UndrawnError("The generated faces must be drawn and looked at first")
    layout, reading, named = "auto", AS_IT_IS, brought().get(source)
    if named:
        layout, reading = named.layout, named.reading
    else:
        for run in store().runs(source=source, limit=1):
            reading = run.config.data.whole.reading
            layout = run.config.data.layout if reading.declared() else "auto"
    try:
        found = as_declared(named.source if named else source, layout, reading)
    except DataError as error:
        raise UnopenedError(error.rule, got=error.got, fix=error.fix) from error
    return replace(found, name=source) if named else found


def as_declared(source: str, layout: str, reading: Reading) -> Dataset:
    """Open a data set as it is declared. Raises DataError."""
    here = settings()
    return open_dataset(
        source, layout=layout, reading=reading, demo_root=here.demo_data, roots=here.data_roots
    )


@st.cache_resource(ttl=300, max_entries=8, show_spinner="Reading the data set ...")
def data_config(source: str, without: tuple[str, ...] = ()) -> DataConfig:
    """Return a data set's identity, some frames left out; files are hashed again only where size or time changed."""
    if published():
        return store().runs(source=source, limit=1)[0].config.data.whole
    return describe(dataset(source).without(without), cache=settings().cache)


@st.cache_resource(max_entries=8, show_spinner="Auditing every image ...")
def _audit(source: str, fingerprint: str, detection: str) -> AuditReport:
    faces = faces_per_frame(artifacts(), detection)
    return audit_dataset(dataset(source), faces=faces, cache=settings().cache)


def audit(source: str, fingerprint: str) -> AuditReport:
    """Return the audit of a data set; `fingerprint` renews it when a file changes."""
    return _audit(source, fingerprint, newest_detection(store(), artifacts(), fingerprint))


@st.cache_resource(max_entries=8, show_spinner=False)
def _detections(key: str) -> dict[str, Faces]:
    return read_detections(artifacts().open("detections", key))


def detections(key: str) -> dict[str, Faces]:
    """Return every frame's faces under a detection's key; empty while no detection has been made."""
    return _detections(key) if artifacts().has("detections", key) else {}


@st.cache_resource(max_entries=8, show_spinner=False)
def _crop_facts(key: str) -> CropFacts:
    return CropFacts(read_crops(artifacts().open("crops", key)))


def crop_facts(config: RunConfig) -> CropFacts | None:
    """Return what is said of all crops of a definition, and each of them as JPEG; None while none have been made."""
    return _crop_facts(config.crops_key()) if artifacts().has("crops", config.crops_key()) else None


def crops_of(run: StoredRun) -> CropFacts | None:
    """Return the crops of a run; None where they are not on this machine, or damaged."""
    try:
        return crop_facts(run.config)
    except FerError:
        return None


def latest_crops(store: Store, data: str) -> CropFacts | None:
    """Return the crops of the newest detection or run, or of a generated set's making, whose faces were cut here."""
    configs = (*(run.config for run in store.runs(data=data, limit=20)), prepared(data))
    return next((found for one in configs if one.faces.extract and (found := crop_facts(one))), None)


def frame_array(source: str, name: str) -> np.ndarray:
    """Return a whole frame as (H, W, 3) uint8 RGB. Raises NotFoundError or, where it can't be read, DataError."""
    path = next((sample.path for sample in dataset(source).samples if sample.name == name), None)
    if path is None:
        raise NotFoundError("the data set must have the image", got=repr(name), fix="Pick one in the gallery")
    return load_rgb(path)


@st.cache_resource(show_spinner=False)
def libraries() -> None:
    """Import what networks need, in one thread while others wait: torchvision breaks where two begin it at once."""
    import torchvision  # noqa: F401


@st.cache_resource(max_entries=4, show_spinner=False)
def _detectors(thresholds: tuple[float, ...], min_face_size: int, factor: float, detector: str) -> Any:
    faces = FacesConfig(thresholds=thresholds, min_face_size=min_face_size, factor=factor, detector=detector)
    return detectors(faces, artifacts(), settings())


def detector_of(faces: FacesConfig) -> DetectorOf:
    """Return MTCNN with these settings, as `faces.finding.detectors` does; loads torch."""
    libraries()
    return _detectors(faces.thresholds, faces.min_face_size, faces.factor, faces.detector)


def trace(source: str, fingerprint: str, name: str, faces: FacesConfig, turn: Turn) -> Trace:
    """Return what each stage of the first look at a frame saw; `fingerprint` renews it when a file changes."""

    def made() -> Trace:
        found: Any = limits.compute(detector_of(faces)(0.0).detect, [frame_array(source, name)])
        return found[0].trace

    return computed("trace", 32).get((source, fingerprint, name, faces), made, turn)


def look_again(source: str, fingerprint: str, name: str, faces: FacesConfig, turn: Turn) -> Faces:
    """Return the faces of a frame under other settings, second looks included."""

    def made() -> Faces:
        image = frame_array(source, name)
        return replace(limits.compute(find_faces, [image], faces, detector_of(faces))[0], trace=None)

    return computed("look again", 64).get((source, fingerprint, name, faces), made, turn)


@st.cache_data(max_entries=4, show_spinner=False)
def trial(
    source: str, crops_key: str, faces: FacesConfig, failed: int, found: int, _progress: Progress, _turn: Turn
) -> tuple[pd.DataFrame, np.ndarray]:
    """Return what other settings would change, from up to so many failed and found frames, each in a turn."""
    before = pick(_crop_facts(crops_key).crops.table, failed, found)
    using: Any = {"progress": _progress, "turn": _turn, "compute": limits.compute}
    return attempt(dataset(source).samples, before, faces, detector_of(faces), **using)


def second_look(source: str, fingerprint: str, name: str, faces: FacesConfig, turn: Turn) -> Faces | None:
    """Return what second looks find in a frame without a face, or None; `fingerprint` as in `trace`."""

    def made() -> Faces | None:
        return limits.compute(rescue, frame_array(source, name), detector_of(faces), faces.rescue)

    return computed("second look", 4000).get((source, fingerprint, name, faces), made, turn)


@st.cache_resource(max_entries=8, show_spinner="Reading the runs ...")
def trained_at(data: str, finished: tuple[int, float]) -> Compared:
    """Return what `trained` does, kept until it is cleared or a run is added."""
    found = store().runs(status=["done"], goal="train", data=data, limit=MOST_RUNS)
    more = len(found) == MOST_RUNS and finished[0] > MOST_RUNS
    return Compared(data, finished, tuple(found), more)


def trained(data: str) -> Compared:
    """Return the newest `MOST_RUNS` finished trainings on a data set; they are read again once one was added."""
    return trained_at(data, store().finished(data))


@st.cache_resource(max_entries=64, show_spinner=False, hash_funcs=HASHES)
def of_trained(make: Callable[..., T], compared: Compared, *key: Any) -> T:
    """Return `make(compared, *key)`, once for all visitors until a run is added.

    Args:
        make: a function of a module.
        key: what else decides: a fingerprint for a data set, an id for a run.
    """
    return make(compared, *key)


@st.cache_data(max_entries=64, show_spinner=False, hash_funcs=HASHES)
def finished_epochs(run: StoredRun) -> pd.DataFrame:
    """Return a finished run's epochs."""
    return store().epochs(run.id)


@st.cache_data(max_entries=64, show_spinner=False, hash_funcs=HASHES)
def finished_predictions(run: StoredRun) -> pd.DataFrame:
    """Return a finished run's held-out predictions."""
    return store().predictions(run.id)


def epochs(run: StoredRun) -> pd.DataFrame:
    """Return a run's epochs so far."""
    return finished_epochs(run) if run.ended else store().epochs(run.id)


@st.cache_data(max_entries=400, show_spinner=False)
def picture(_make: Callable[[], bytes], *key: Any) -> bytes:
    """Return an encoded picture as `_make` draws it, once for equal keys: they say all that decides it."""
    return _make()


@st.cache_data(max_entries=64, show_spinner=False)
def folds_problem(_dataset: Dataset, protocol: ProtocolConfig, fingerprint: str) -> str:
    """Return why a data set can't be folded so, '' where it can; `fingerprint` renews it when a file changes."""
    try:
        require_folds(_dataset, protocol)
    except DataError as error:
        return str(error)
    return ""


@st.cache_data(ttl=60, show_spinner="Asking whether the weights can be downloaded ...")
def reachable(backbone: str) -> bool:
    """Return whether the host that has a backbone's weights answers."""
    return can_download(backbone)


@st.cache_resource(max_entries=16, show_spinner="Comparing the runs image by image ...", hash_funcs=HASHES)
def ranking(runs: Sequence[StoredRun]) -> list[Place]:
    """Return finished runs of a sweep ranked, best first."""
    return rank(list(runs), finished_predictions)
