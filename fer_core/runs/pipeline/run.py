"""The steps of a run in order: samples -> faces -> crops -> what the model reads -> folds -> figures.

Every step writes an artifact under its own key, so what another run has made already is only opened. The
pipeline knows no database: it reports to a `Report` and returns a `RunResult`.
"""

import time
from pathlib import Path

import pandas as pd

from fer_core.config.run import RunConfig
from fer_core.config.settings import Settings
from fer_core.datasets.base import Dataset, known_clips
from fer_core.datasets.fingerprint import data_config
from fer_core.datasets.generated.movie_plan import planned
from fer_core.datasets.open import open_dataset
from fer_core.errors import DataError
from fer_core.evaluation.metrics import lead
from fer_core.evaluation.protocols import Fold, draw, leakage
from fer_core.faces.crops_artifact import ensure_crops
from fer_core.faces.extraction import (
    NOT_DETECTED,
    Crops,
    Progress,
    keep_found,
    read_crops,
    read_detections,
    write_detections,
)
from fer_core.faces.finetuning.finetuned import trained_on
from fer_core.faces.finetuning.known_faces import group_of
from fer_core.learning.networks.naming import system
from fer_core.learning.reporting import Report, RunResult
from fer_core.storage.artifacts import Artifacts
from fer_core.storage.shared_artifacts import artifacts_of

from .engine import LOCAL, Engine
from .fitting import FITTERS, Work, fit
from .model_inputs import Source, require_images
from .recognition import untrained
from .summary import arithmetic_of, figures_of, held_out, summarise_folds, summarise_recipe, summarise_sets


def execute(config: RunConfig, report: Report, settings: Settings, engine: Engine = LOCAL) -> RunResult:
    """Open the data set of a run and carry the run out: what a worker calls.

    Raises:
        DataError: the data set has changed since the run was submitted, or is gone.
        Cancelled: its user asked it to stop.
    """
    dataset = open_dataset(
        config.data.source,
        layout=config.data.layout,
        reading=config.data.reading,
        demo_root=settings.demo_data,
        roots=settings.data_roots,
        progress=lambda done, total: report.step("drawing the generated set", done, total),
    )
    found = data_config(dataset, cache=settings.cache)
    if config.data == planned():  # drawn by now: what follows is kept under what it is
        config = config.model_copy(update={"data": found})
    if found.fingerprint != config.data.fingerprint:
        raise DataError(
            "the data set must be as it was when the run was submitted",
            got=f"fingerprint {found.fingerprint} instead of {config.data.fingerprint}",
            fix="Submit the run again to train on the data as it is now",
        )
    return run(config, dataset, artifacts_of(settings), report, settings, engine)


def run(
    config: RunConfig,
    dataset: Dataset,
    artifacts: Artifacts,
    report: Report,
    settings: Settings,
    engine: Engine = LOCAL,
) -> RunResult:
    """Carry out a run, from frames to figures; `engine` says where its heavy steps are computed."""
    device, environment = engine.describe(settings)
    started = time.perf_counter()

    def crops() -> Crops:
        require_images(dataset)
        return extract_faces(config, dataset, artifacts, report, settings, engine)

    if config.goal == "faces":
        summary = faces_summary(crops().table) | {"seconds": time.perf_counter() - started}
        return RunResult(summary, pd.DataFrame(), environment)
    fitter = FITTERS[config.model.kind]
    inputs = fitter.prepare(Source(config, dataset, crops, artifacts, report, settings))
    used = inputs.used
    labels = used["label"].to_numpy(copy=True)
    groups = list(used["group"])
    clips = known_clips(used["name"], used["clip"])
    folds = draw(config.protocol, labels, groups, clips, list(used["split"]))
    held = held_together(config.protocol.name, groups, clips)
    work = Work(
        config=config,
        inputs=inputs.values,
        labels=labels,
        held=None if held is None else [own or name for own, name in zip(held, used["name"], strict=True)],
        names=list(used["name"]),
        folds=folds,
        artifacts=artifacts,
        report=report,
        settings=settings,
        device=device,
    )
    stacked = config.trains_backbone and len(fitter.apart(work)) < len(folds)
    together = ", their heads side by side" if stacked else ""
    parts = "nothing is trained" if config.protocol.name == "unseen" else f"{len(folds)} folds"
    report.log(f"{len(used)} images, {parts}, on {device}{together}")
    results = fit(work, engine.fit)
    predictions = held_out(used, results)

    def against_untrained() -> dict[str, object]:
        start = untrained(config)
        if start is None:
            return {}
        before = run(start, dataset, artifacts, report, settings, engine).predictions
        return {"untrained": {"name": system(start.model), **lead(before, predictions)}}

    figures = figures_of(predictions)
    summary = {
        **figures,
        "validated": figures["images"],
        **faces_summary(inputs.frames),
        **summarise_folds(results, trained=config.protocol.name != "unseen"),
        **summarise_sets(config, predictions),
        **summarise_recipe(config, results, predictions),
        **against_untrained(),
        "trainable": fitter.trained(work),
        **measure_leaks(config, used, folds, artifacts),
        "seconds": time.perf_counter() - started,
    }
    return RunResult(summary, predictions, environment | arithmetic_of(results))


def measure_leaks(
    config: RunConfig, used: pd.DataFrame, folds: list[Fold], artifacts: Artifacts
) -> dict[str, object]:
    """Return the `leakage` of a run's folds and, of a fine-tuned detector, what it was trained on.

    Such a detector has met the expressions' frames without their labels: their faces are found better than those of
    unseen movies would be.
    """
    tuned: dict[str, object] = {}
    known = None
    if config.faces.detector and not (used["status"] == NOT_DETECTED).any():
        name, movies = trained_on(artifacts, config.faces.detector, config.data)
        tuned = {"detector_data": name}
        if movies is not None:
            places = zip(used["group"], used["clip"], used["name"], strict=True)
            known = [group_of(*place) in movies for place in places]
    groups, clips = list(used["group"]), known_clips(used["name"], used["clip"])
    return {"leakage": leakage(folds, groups, clips, epochs=config.epochs, detector=known), **tuned}


def held_together(protocol: str, groups: list[str], clips: list[str]) -> list[str] | None:
    """Return the names that a protocol's folds keep together; None where images are dealt one by one.

    A split that the data set brings keeps movies or persons together where it is known which they are.
    """
    if protocol in ("spi", "fixed"):
        return groups if any(groups) else None
    return {"group": groups, "clip": clips}.get(protocol)


def extract_faces(
    config: RunConfig,
    dataset: Dataset,
    artifacts: Artifacts,
    report: Report,
    settings: Settings,
    engine: Engine = LOCAL,
) -> Crops:
    """Return the crops of a data set; detection and cutting are done only where they have not been.

    A detection that was cut off continues after its last frame. Where the same detection with fewer second looks is
    there, only the frames in which that found no face are looked at. Where frames are excluded, what was found in the
    others among all frames is kept.
    """
    faces = config.faces
    if faces.extract:

        def detect(folder: Path) -> None:
            whole = config.model_copy(update={"data": config.data.whole}).detections_key()
            if config.data.excluded and artifacts.has("detections", whole):
                names = {sample.name for sample in dataset.samples}
                keep_found(artifacts.open("detections", whole), folder, names)
            for looks in reversed(range(len(faces.rescue))):
                fewer = config.model_copy(
                    update={"faces": faces.model_copy(update={"rescue": faces.rescue[:looks]})}
                )
                if artifacts.has("detections", fewer.detections_key()):
                    keep_found(artifacts.open("detections", fewer.detections_key()), folder)
                    break
            write_detections(
                dataset.samples,
                folder,
                lambda todo: engine.detect(todo, faces, artifacts, settings),
                progress=_progress(report, "detecting faces"),
            )

        looked_for = {"thresholds", "min_face_size", "factor", "rescue", "detector"}
        own = faces.model_dump(mode="json", include=looked_for) | {"data": config.data.hashed()}
        found = artifacts.ensure(
            "detections", config.detections_key(), own, detect, resume=True, waiting=report.check
        )

    return read_crops(
        ensure_crops(
            config,
            dataset.samples,
            artifacts,
            lambda: read_detections(found),
            progress=_progress(report, "cutting crops"),
            waiting=report.check,
        )
    )


def _progress(report: Report, name: str) -> Progress:
    return lambda done, total: report.step(name, done, total)


def faces_summary(table: pd.DataFrame) -> dict[str, object]:
    """Return what became of the frames: counts per status, images with a crop, missing and unreadable.

    `missing_faces` is None where no face was looked for; `dropped` counts readable frames left out for want
    of a face, `rescued` the frames whose face a second look found, per policy.
    """
    counts = table["status"].value_counts()
    looked = not (table["status"] == NOT_DETECTED).any()
    readable = table[table["status"] != "unreadable"]
    return {
        "statuses": {name: int(count) for name, count in counts.items()},
        "images": int((table["row"] >= 0).sum()),
        "missing_faces": int((table["status"] == "none").sum()) if looked else None,
        "unreadable": int(len(table) - len(readable)),
        "dropped": int((readable["row"] < 0).sum()),
        "rescued": {name: int(count) for name, count in table["rescued_by"].value_counts().items()},
    }
