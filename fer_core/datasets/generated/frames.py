"""The generated data set: drawn faces in film-like frames, laid out and named as SFEW's.

Every frame follows from the seed alone, whatever the order or the process it is drawn in. Nothing here is a
photograph, and an accuracy on it says nothing about real faces.
"""

from __future__ import annotations

import csv
import fcntl
import json
import multiprocessing
import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final
from uuid import uuid4

import numpy as np
import pandas as pd
from PIL import Image, PngImagePlugin

from fer_core.config.run import CLASSES
from fer_core.datasets.base import GENERATED_NOTICE
from fer_core.errors import DataError

from .face_model import ACTION_UNITS, draw_expression, draw_identity
from .movie_plan import HARD_KINDS, MOVIES, GeneratedConfig, plan
from .rendering import Actor, Pose, Scene, render
from .scenery import draw_look

__all__ = ["HARD_KINDS", "GeneratedConfig", "Truth", "generate", "render_frame", "truth_of"]

MANIFEST: Final = "frames.csv"
LABEL_FILE: Final = "SYNTHETIC.txt"
LANDMARKS: Final = ("left_eye", "right_eye", "nose", "mouth_left", "mouth_right")

_COLUMNS = (
    *("path", "label", "group", "clip", "person", "kind", "faces", "x1", "y1", "x2", "y2"),
    *(f"{name}_{axis}" for name in LANDMARKS for axis in "xy"),
    *(f"au{unit:02d}" for unit in ACTION_UNITS),
)


@dataclass(frozen=True)
class Truth:
    """What is exactly known about a frame. Without a face, box and landmarks are None and units empty.

    Attributes:
        path: relative to the data set's folder, with forward slashes.
        kind: "ordinary" or one of HARD_KINDS.
        faces: how many faces look at the camera.
        box: (x1, y1, x2, y2) in pixels; of the labelled person where there are two.
        landmarks: (5, 2) pixels: image-left eye, image-right eye, nose tip, mouth corners likewise.
        units: action unit -> intensity in [0, 1], the mean of both sides.
    """

    path: str
    label: str
    group: str
    clip: str
    person: str
    kind: str
    faces: int
    box: tuple[float, float, float, float] | None
    landmarks: np.ndarray | None
    units: dict[int, float]

    def row(self) -> dict[str, object]:
        """The frame's row of the manifest; what isn't known is empty."""
        values: list[object] = [
            self.path,
            self.label,
            self.group,
            self.clip,
            self.person,
            self.kind,
            self.faces,
        ]
        values += [round(v, 2) for v in self.box] if self.box is not None else [""] * 4
        places = self.landmarks.ravel().tolist() if self.landmarks is not None else None
        values += [round(v, 2) for v in places] if places is not None else [""] * 10
        values += [round(self.units[unit], 4) if self.units else "" for unit in ACTION_UNITS]
        return dict(zip(_COLUMNS, values, strict=True))


def render_frame(config: GeneratedConfig, index: int) -> tuple[np.ndarray, Truth]:
    """Draw frame `index` of the plan.

    Returns:
        The frame, uint8 RGB (height, width, 3), and its truth.
    """
    shot = plan(config)[index]
    look = draw_look(np.random.default_rng([config.seed, 1, shot.movie]))
    rng = np.random.default_rng([config.seed, 3, shot.clip])
    drift = np.random.default_rng([config.seed, 4, shot.clip, shot.place])
    who = draw_identity(np.random.default_rng([config.seed, 2, shot.movie, shot.slot]), slot=shot.slot)
    face = draw_expression(rng, shot.label)
    pose = _pose(rng, drift, config, look.letterbox, shot.kind)
    shift = (float(rng.random()), float(rng.random()))
    if shot.place:
        face = face.nudged(drift)
    actors = [Actor(who, face, pose, from_behind=shot.kind == "hard-nobody")]
    if shot.kind == "hard-two":
        other = draw_identity(np.random.default_rng([config.seed, 2, shot.movie, 9]), slot=shot.slot + 1)
        place = _pose(rng, drift, config, look.letterbox, "hard-second")
        actors.append(Actor(other, draw_expression(rng, CLASSES[int(rng.integers(7))]), place))
    blur = rng.uniform(0.30, 0.40) * pose.unit if shot.kind == "hard-blur" else 0.0
    gain = rng.uniform(0.02, 0.05) if shot.kind == "hard-dark" else 1.0
    scene = Scene(look, tuple(actors), shift, shot.kind == "hard-covered", float(gain), float(blur))
    image, truths = render(scene, config.width, config.height, drift)
    movie = MOVIES[shot.movie]
    truth = Truth(
        path=shot.path,
        label=shot.label,
        group=movie,
        clip=shot.clip_name,
        person=f"{movie}-{shot.slot}",
        kind=shot.kind,
        faces=len(truths),
        box=truths[0].box if truths else None,
        landmarks=truths[0].landmarks if truths else None,
        units={unit: face(unit) for unit in ACTION_UNITS} if truths else {},
    )
    return image, truth


def generate(
    config: GeneratedConfig,
    folder: Path,
    *,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Write the data set into `folder`, or return at once when it is there already.

    Frames go to a temporary folder beside it, which is renamed once complete; a run that is killed leaves
    nothing that looks done.

    Args:
        workers: processes; None takes one a CPU, 1 draws in this process.
        progress: called with (frames done, frames in all).

    Raises:
        DataError: `folder` holds something that this function did not write.
    """
    folder = Path(folder)
    total = config.ordinary + config.hard
    if _intact(config, folder):
        if progress:
            progress(total, total)
        return folder
    if folder.exists() and not (folder / LABEL_FILE).exists() and any(folder.iterdir()):
        raise DataError(
            "the generated set needs a folder of its own",
            got=f"{folder}, which holds other files",
            fix="Name an empty or a new folder",
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f".{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # whoever comes second finds the frames drawn
        if not _intact(config, folder):
            _write(config, folder, workers, progress)
    return folder


def _write(
    config: GeneratedConfig,
    folder: Path,
    workers: int | None,
    progress: Callable[[int, int], None] | None,
) -> None:
    total = config.ordinary + config.hard
    _sweep(folder)
    part = folder.with_name(f".{folder.name}.{uuid4().hex[:8]}.part")
    try:
        for label in CLASSES:
            (part / label).mkdir(parents=True)
        rows: dict[int, dict[str, object]] = {}
        for chunk in _drawn(config, part, workers):
            rows.update(chunk)
            if progress:
                progress(len(rows), total)
        with (part / MANIFEST).open("w", newline="", encoding="utf-8") as file:
            table = csv.DictWriter(file, _COLUMNS)
            table.writeheader()
            table.writerows(rows[index] for index in range(total))
        (part / LABEL_FILE).write_text(_label_text(config), encoding="utf-8")
        if folder.exists():
            shutil.rmtree(folder)
        part.rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def truth_of(folder: Path) -> pd.DataFrame:
    """The manifest of a generated set: a row a frame; NaN where there is no face.

    Raises:
        DataError: `folder` holds no generated set.
    """
    path = Path(folder) / MANIFEST
    if not path.exists() or not (Path(folder) / LABEL_FILE).exists():
        raise DataError(
            "a generated set has frames.csv and SYNTHETIC.txt", got=folder, fix="Generate it first"
        )
    return pd.read_csv(path)


def _pose(
    rng: np.random.Generator, drift: np.random.Generator, config: GeneratedConfig, letterbox: float, kind: str
) -> Pose:
    scale = min(config.width / 720, config.height / 576)
    unit = rng.uniform(48, 76 if kind in ("hard-two", "hard-second") else 105) * scale
    yaw, pitch, tilt = rng.normal(0, (7.0, 4.0, 5.0)) + drift.normal(0, (1.0, 0.7, 0.7))
    if kind == "hard-profile":
        yaw = rng.uniform(92, 108) * rng.choice((-1, 1))
    bar = letterbox * config.height
    low, high = bar + 1.75 * unit, config.height - bar - 1.75 * unit
    x = rng.uniform(0.3, 0.7) * config.width
    if kind in ("hard-two", "hard-second"):
        x = config.width * (rng.uniform(0.22, 0.32) if kind == "hard-two" else rng.uniform(0.68, 0.78))
    y = low + rng.beta(2, 3) * max(0.0, high - low)
    x, y = np.array((x, y)) + drift.normal(0, 0.02, 2) * unit
    yaw, pitch, tilt = np.deg2rad((yaw, pitch, tilt))
    return Pose(float(yaw), float(pitch), float(tilt), float(x), float(y), float(unit))


def _drawn(
    config: GeneratedConfig, folder: Path, workers: int | None
) -> Iterator[dict[int, dict[str, object]]]:
    total = config.ordinary + config.hard
    chunks = [range(start, min(start + 4, total)) for start in range(0, total, 4)]
    workers = min(workers or _cpus(), len(chunks))
    if workers == 1:
        for chunk in chunks:
            yield _draw_chunk(config, folder, chunk)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        jobs = [pool.submit(_draw_chunk, config, folder, chunk) for chunk in chunks]
        try:
            for job in as_completed(jobs):
                yield job.result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _draw_chunk(config: GeneratedConfig, folder: Path, indices: range) -> dict[int, dict[str, object]]:
    rows = {}
    for index in indices:
        image, truth = render_frame(config, index)
        about = PngImagePlugin.PngInfo()
        about.add_text("Software", "FER Lab")
        about.add_text("Comment", GENERATED_NOTICE)
        Image.fromarray(image).save(folder / truth.path, "PNG", pnginfo=about, compress_level=3)
        rows[index] = truth.row()
    return rows


def _cpus() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _label_text(config: GeneratedConfig) -> str:
    lines = [
        "This data set is synthetic.",
        f"Every image in it was {GENERATED_NOTICE}.",
        "No figure measured on it is evidence",
    ]
    lines[-1] += " about real faces."
    lines += ["", f"key: {config.key()}", f"config: {json.dumps(asdict(config), sort_keys=True)}", ""]
    return "\n".join(lines)


def _intact(config: GeneratedConfig, folder: Path) -> bool:
    label = folder / LABEL_FILE
    if not label.exists() or not (folder / MANIFEST).exists():
        return False
    if f"key: {config.key()}\n" not in label.read_text(encoding="utf-8"):
        return False
    return all((folder / shot.path).exists() for shot in plan(config))


def _sweep(folder: Path) -> None:
    """Remove what killed runs left beside the folder; the lock is held, so none of them lives."""
    for part in folder.parent.glob(f".{folder.name}.*.part"):
        shutil.rmtree(part, ignore_errors=True)
