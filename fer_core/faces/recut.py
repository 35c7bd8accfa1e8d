"""Crops after a change of hand-drawn boxes: what is there is copied, and only the changed frames are cut.

The result is byte for byte what `extraction.crop_all` writes for the same settings, so it has the same key.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from fer_core.config.run import FacesConfig, RunConfig
from fer_core.datasets.base import Sample
from fer_core.errors import StoreError
from fer_core.storage.artifacts import Artifacts

from .crops import Box, Faces
from .drawn_boxes import read_boxes
from .extraction import CROPS, TABLE, Progress, crop_all, crop_one


def nearest(artifacts: Artifacts, config: RunConfig) -> tuple[Path, set[str]] | None:
    """Return the crops that differ from a definition's in the fewest hand-drawn boxes, and in which frames.

    None when no crops were made with these settings, or when hand-drawn boxes play no part in them.
    """
    faces = config.faces
    if not faces.extract or faces.no_face != "manual":
        return None
    wanted = read_boxes(artifacts, faces.manual_boxes)
    best: tuple[str, set[str]] | None = None
    for key in artifacts.keys("crops"):
        try:
            other = artifacts.read_config("crops", key)
        except StoreError:  # deleted at this moment, or damaged
            continue
        if other.get("data") != config.data.hashed():
            continue
        boxes = other.get("faces", {}).get("manual_boxes")
        if boxes is None or other["faces"] != _with_boxes(faces, boxes).hashed():
            continue
        if boxes and not artifacts.has("boxes", boxes):
            continue
        before = read_boxes(artifacts, boxes)
        changed = {name for name in {*wanted, *before} if wanted.get(name) != before.get(name)}
        if best is None or len(changed) < len(best[1]):
            best = key, changed
    if best is None or not artifacts.has("crops", best[0]):
        return None
    return artifacts.open("crops", best[0]), best[1]


def _with_boxes(faces: FacesConfig, key: str) -> FacesConfig:
    return faces.model_copy(update={"manual_boxes": key})


def recut(
    samples: Sequence[Sample],
    detections: Mapping[str, Faces],
    config: FacesConfig,
    source: Path,
    folder: Path,
    *,
    changed: set[str],
    drawn: Mapping[str, Box],
    progress: Progress | None = None,
) -> None:
    """Write crops to `folder` from those in `source`, cutting only the `changed` frames anew.

    Args:
        samples: the data set that `source` was cut from.
        detections: `read_detections`.
        config: face settings with `no_face` 'manual', under which no frame is dropped and rows stay in place.
        source: folder of crops made with the same settings and other hand-drawn boxes.
        changed: names whose box differs; names outside the data set play no part.
        drawn: all hand-drawn boxes by name.
        progress: called with (frames done, frames in all) for the changed frames.

    Raises:
        StoreError: `source` is of another data set.
    """
    shutil.copyfile(source / CROPS, folder / CROPS)
    array = np.load(folder / CROPS, mmap_mode="r+")
    todo = sum(sample.name in changed for sample in samples)
    done = 0
    with (source / TABLE).open(encoding="utf-8") as old, (folder / TABLE).open("w", encoding="utf-8") as new:
        for sample, line in zip(samples, old, strict=True):
            if sample.name not in changed:
                new.write(line)
                continue
            before = json.loads(line)
            if before["name"] != sample.name:
                raise StoreError(
                    "crops must list the frames of their data set",
                    got=f"{before['name']!r} in place of {sample.name!r}",
                    fix="Run the detection again",
                )
            record, crop = crop_one(sample, detections, config, drawn, before["row"])
            if crop is not None:
                array[before["row"]] = crop
            new.write(json.dumps(record) + "\n")
            done += 1
            if progress:
                progress(done, todo)
    array.flush()


def write_crops(
    config: RunConfig,
    samples: Sequence[Sample],
    detections: Mapping[str, Faces] | None,
    artifacts: Artifacts,
    folder: Path,
    *,
    progress: Progress | None = None,
) -> None:
    """Write a definition's crops to `folder`, from the nearest crops where there are any, else all anew."""
    drawn = read_boxes(artifacts, config.faces.manual_boxes)
    found = nearest(artifacts, config)
    if found is None or detections is None:
        crop_all(samples, detections, config.faces, folder, drawn=drawn, progress=progress)
        return
    source, changed = found
    recut(samples, detections, config.faces, source, folder, changed=changed, drawn=drawn, progress=progress)


def ensure_recut(
    config: RunConfig,
    samples: Sequence[Sample],
    artifacts: Artifacts,
    detections: Callable[[], Mapping[str, Faces]],
    *,
    most: int | None = None,
    progress: Progress | None = None,
) -> bool:
    """Make a definition's crops at once if others that differ in hand-drawn boxes alone can serve.

    Args:
        detections: gives `read_detections` of the definition, called only when frames are cut.
        most: the most frames to cut; None for any number.

    Returns:
        Whether the crops are there.
    """
    key = config.crops_key()
    if artifacts.has("crops", key):
        return True
    found = nearest(artifacts, config)
    if found is None or (most is not None and len(found[1]) > most):
        return False
    described = {"faces": config.faces.hashed(), "data": config.data.hashed()}

    def build(folder: Path) -> None:
        write_crops(config, samples, detections(), artifacts, folder, progress=progress)

    artifacts.ensure("crops", key, described, build)
    return True
