"""The generated data set: drawn faces in film-like frames, laid out and named as SFEW's.

Every frame follows from the seed alone, whatever the order or the process it is drawn in. Nothing here is a
photograph, and an accuracy on it says nothing about real faces.
"""

import csv
import json
import os
import shutil
import threading
from collections.abc import Generator
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from filelock import FileLock
from PIL import Image, PngImagePlugin

from fer_core.config.run import CLASSES
from fer_core.datasets.base import GENERATED_NOTICE, Progress
from fer_core.datasets.readers.generated import MANIFEST, MARK
from fer_core.errors import DataError

from .face_model import ACTION_UNITS, draw_expression, draw_identity
from .movie_plan import HARD_KINDS, MOVIES, GeneratedConfig, intact, plan
from .rendering import Actor, Pose, Scene, render
from .scenery import draw_look

__all__ = ["HARD_KINDS", "GeneratedConfig", "generate", "render_frame", "truth_of"]

LANDMARKS: Final = ("left_eye", "right_eye", "nose", "mouth_left", "mouth_right")

_PLACES = (*("x1", "y1", "x2", "y2"), *(f"{name}_{axis}" for name in LANDMARKS for axis in "xy"))

#: What is exactly known about a frame, a row of the manifest.
Truth = dict[str, Any]


def render_frame(config: GeneratedConfig, index: int) -> tuple[np.ndarray, Truth]:
    """Draw frame `index` of the plan.

    Returns:
        The frame, uint8 RGB (height, width, 3), and its truth: path (inside the data set's folder), label,
        group, clip, person, kind ("ordinary" or one of HARD_KINDS), faces (how many look at the camera), the
        box x1, y1, x2, y2 and the five landmarks' x and y in pixels (of the labelled person where there are
        two; left is the image's left), and au01 ... au26, the action units' intensities in [0, 1], the mean
        of both sides. Without a face box, landmarks and units are None.
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
    image, found = render(scene, config.width, config.height, drift)
    movie, units = MOVIES[shot.movie], {f"au{unit:02d}": face(unit) for unit in ACTION_UNITS}
    truth: Truth = {
        "path": shot.path,
        "label": shot.label,
        "group": movie,
        "clip": shot.clip_name,
        "person": f"{movie}-{shot.slot}",
        "kind": shot.kind,
        "faces": len(found),
        **dict.fromkeys((*_PLACES, *units)),
    }
    if found:
        truth |= dict(zip(_PLACES, (round(value, 2) for value in found[0]), strict=True))
        truth |= {name: round(value, 4) for name, value in units.items()}
    return image, truth


def generate(
    config: GeneratedConfig,
    folder: Path,
    *,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Path:
    """Write the data set into `folder`, or return at once when it is there already.

    Frames go to a folder beside it, which is renamed once complete. A drawing that was cut off continues after the
    last frame that its manifest lists.

    Args:
        workers: processes; 1 draws in this process. None takes one a CPU, but none apart from this one outside the
            main thread: processes that start run the main script, which in a dashboard is a page.

    Raises:
        DataError: `folder` holds something that this function did not write.
    """
    folder = Path(folder)
    total = len(plan(config))
    if not intact(config, folder):
        if folder.exists() and not (folder / MARK).exists() and any(folder.iterdir()):
            raise DataError(
                "the generated set needs a folder for itself",
                got=f"{folder}, which holds other files",
                fix="Name an empty or a new folder",
            )
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_name(f".{folder.name}.lock")):  # the second to come finds the frames drawn
            if not intact(config, folder):
                _write(config, folder, workers or _cpus(), progress)
    if progress:
        progress(total, total)
    return folder


def _write(config: GeneratedConfig, folder: Path, workers: int, progress: Progress | None) -> None:
    part = folder.with_name(f".{folder.name}.{config.key()}.part")  # of one config: the lock is held
    for label in CLASSES:
        (part / label).mkdir(parents=True, exist_ok=True)
    table, done = part / MANIFEST, _listed(part / MANIFEST)
    with (
        table.open("a", newline="", encoding="utf-8") as file,
        closing(_drawn(config, part, workers, done)) as drawn,
    ):
        for number, row in enumerate(drawn, done + 1):
            writer = csv.DictWriter(file, row)
            if number == 1:
                writer.writeheader()
            writer.writerow(row)
            file.flush()
            if progress:
                progress(number, len(plan(config)))
    (part / MARK).write_text(
        "This data set is synthetic.\n"
        f"Every image in it was {GENERATED_NOTICE}.\n"
        "No figure measured on it is evidence about real faces.\n\n"
        f"key: {config.key()}\nconfig: {json.dumps(config.model_dump(), sort_keys=True)}\n",
        encoding="utf-8",
    )
    if folder.exists():
        shutil.rmtree(folder)
    part.rename(folder)


def _listed(table: Path) -> int:
    """Return how many frames an unfinished manifest lists; what a cut-off line holds is dropped."""
    if not table.exists():
        return 0
    lines = table.read_bytes().splitlines(keepends=True)
    whole = [line for line in lines if line.endswith(b"\n")]
    if len(whole) < len(lines):
        table.write_bytes(b"".join(whole))
    return max(0, len(whole) - 1)


def _drawn(config: GeneratedConfig, folder: Path, workers: int, first: int) -> Generator[Truth, None, None]:
    """Draw the frames from `first` on into a folder and yield their truths in order."""
    draw, frames = partial(_draw, config, folder), range(first, len(plan(config)))
    if workers == 1 or not frames:
        yield from map(draw, frames)
        return
    try:
        pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"))
    except OSError:  # no semaphores where /dev/shm can't be written
        yield from map(draw, frames)
        return
    with pool:
        try:
            yield from pool.map(draw, frames, chunksize=4)
        finally:
            pool.shutdown(cancel_futures=True)


def _draw(config: GeneratedConfig, folder: Path, index: int) -> Truth:
    image, truth = render_frame(config, index)
    about = PngImagePlugin.PngInfo()
    about.add_text("Software", "FER Lab")
    about.add_text("Comment", GENERATED_NOTICE)
    Image.fromarray(image).save(folder / truth["path"], "PNG", pnginfo=about, compress_level=3)
    return truth


def _cpus() -> int:
    if threading.current_thread() is not threading.main_thread():
        return 1
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def truth_of(folder: Path) -> pd.DataFrame:
    """The manifest of a generated set: a row a frame; NaN where there is no face.

    Raises:
        DataError: `folder` holds no generated set.
    """
    path = Path(folder) / MANIFEST
    if not path.exists() or not (Path(folder) / MARK).exists():
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
