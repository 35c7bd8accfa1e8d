"""Detection and cropping over a whole data set: streamed, resumable, one line or one row a frame.

Decoding runs ahead in threads (Pillow releases the interpreter lock) while the detector works, and what is
found is appended to a file at once, so a killed detection continues where it stopped.
"""

import json
import shutil
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fer_core.config.run import FacesConfig
from fer_core.datasets.base import Progress, Sample
from fer_core.datasets.images import load_rgb, pixels_claimed
from fer_core.errors import DataError, StoreError
from fer_core.storage.artifacts import require_room

from .crops import Box, Chosen, Faces, choose, cut
from .finding import find_faces
from .rescue import DetectorOf

DETECTIONS = "detections.jsonl"
CROPS = "crops.npy"
TABLE = "crops.jsonl"

#: Status of a frame that no face was looked for in (`FacesConfig.extract` off).
NOT_DETECTED = "whole frame"

#: What the table of crops takes from a sample.
SAMPLE_FIELDS = ("name", "label", "split", "group", "clip")

#: Frames handed to the detector at once.
BATCH = 16

#: Pixels of a batch, and of the frames decoded ahead of it: large photographs come a few at a time, or one by one.
MOST_PIXELS = 48_000_000

#: Looks for faces in samples: yields one line of JSON a frame, a batch at a time, in the samples' order.
Detect = Callable[[Sequence[Sample]], Iterable[list[str]]]


def frames(samples: Sequence[Sample], ahead: int = 24) -> Iterator[tuple[Sample, np.ndarray | str]]:
    """Yield each sample with its (H, W, 3) uint8 RGB frame, or with the reason why it can't be read.

    Args:
        ahead: how many are decoded before they are asked for; fewer where they are large (`MOST_PIXELS`).
    """
    with ThreadPoolExecutor(max_workers=2, thread_name_prefix="decode") as pool:
        waiting: deque[tuple[Sample, int, Future[np.ndarray | str]]] = deque()
        held = 0
        for sample in samples:
            pixels = pixels_claimed(sample.path)
            while waiting and (len(waiting) >= ahead or held + pixels > MOST_PIXELS):
                first, size, future = waiting.popleft()
                held -= size
                yield first, future.result()
            waiting.append((sample, pixels, pool.submit(_decode, sample.path)))
            held += pixels
        while waiting:
            first, _, future = waiting.popleft()
            yield first, future.result()


def batches(
    stream: Iterable[tuple[Sample, np.ndarray | str]],
) -> Iterator[list[tuple[Sample, np.ndarray | str]]]:
    """Yield `BATCH` frames at a time, fewer of large ones: no batch of several has more than `MOST_PIXELS`."""
    batch: list[tuple[Sample, np.ndarray | str]] = []
    held = 0
    for sample, frame in stream:
        pixels = 0 if isinstance(frame, str) else frame.shape[0] * frame.shape[1]
        if batch and (len(batch) == BATCH or held + pixels > MOST_PIXELS):
            yield batch
            batch, held = [], 0
        batch.append((sample, frame))
        held += pixels
    if batch:
        yield batch


def _decode(path: Path) -> np.ndarray | str:
    try:
        return load_rgb(path)
    except DataError as error:
        return str(error)


def write_detections(
    samples: Sequence[Sample], folder: Path, detect: Detect, *, progress: Progress | None = None
) -> None:
    """Append what `detect` yields to `folder`/detections.jsonl, for the frames that have no line there yet."""
    path = folder / DETECTIONS
    done = {record["name"] for record in _recover(path)}
    todo = [sample for sample in samples if sample.name not in done]
    finished = len(samples) - len(todo)
    with path.open("a", encoding="utf-8") as file:
        for lines in detect(todo) if todo else ():
            require_room(folder)
            file.write("".join(lines))
            file.flush()
            finished += len(lines)
            if progress:
                progress(finished, len(samples))
    if progress:
        progress(finished, len(samples))


def keep_found(earlier: Path, folder: Path, among: Collection[str] | None = None) -> None:
    """Begin `folder`/detections.jsonl with the lines of `earlier` that need no second look, unless it has begun.

    Only frames in which no face was found are then looked at again; all others stay as they are, to the bit. With
    `among`, names of frames, it is their lines instead.
    """
    lines = (earlier / DETECTIONS).read_text(encoding="utf-8").splitlines(keepends=True)
    if not (folder / DETECTIONS).exists():
        known = [(line, json.loads(line)) for line in lines]
        kept = [
            line
            for line, found in known
            if (found["boxes"] or found["reason"] if among is None else found["name"] in among)
        ]
        (folder / DETECTIONS).write_text("".join(kept), encoding="utf-8")


def detected(samples: Sequence[Sample], config: FacesConfig, detector_of: DetectorOf) -> Iterator[list[str]]:
    """Yield, `BATCH` frames at a time, one line of JSON a frame: its name and `Faces.to_dict`.

    Args:
        detector_of: made with `config`'s settings (`finding.detectors`).
    """
    for batch in batches(frames(samples, ahead=BATCH + 8)):
        images = [frame for _, frame in batch if not isinstance(frame, str)]
        found = iter(find_faces(images, config, detector_of))
        yield [
            json.dumps(
                {
                    "name": sample.name,
                    **(Faces.unreadable(frame) if isinstance(frame, str) else next(found)).to_dict(),
                }
            )
            + "\n"
            for sample, frame in batch
        ]


def _recover(path: Path) -> list[dict[str, Any]]:
    """Return the whole lines of a file of JSON lines and cut off a line torn by a kill."""
    if not path.exists():
        return []
    records, good = [], 0
    with path.open("rb") as lines:
        for line in lines:
            if not line.endswith(b"\n"):
                break
            records.append(json.loads(line))
            good += len(line)
    if good < path.stat().st_size:
        with path.open("r+b") as lines:
            lines.truncate(good)
    return records


def read_detections(folder: Path) -> dict[str, Faces]:
    """Return the faces of every frame by sample name.

    Raises:
        StoreError: the file is missing.
    """
    path = folder / DETECTIONS
    if not path.exists():
        raise StoreError("detections must have been made", got=f"no {DETECTIONS}", fix="Detect faces first")
    with path.open(encoding="utf-8") as lines:
        return {values["name"]: Faces.from_dict(values) for values in map(json.loads, lines)}


def crop_all(
    samples: Sequence[Sample],
    detections: Mapping[str, Faces] | None,
    config: FacesConfig,
    folder: Path,
    *,
    drawn: Mapping[str, Box] | None = None,
    turned_down: Collection[str] = (),
    source: Path | None = None,
    changed: Collection[str] = (),
    progress: Progress | None = None,
) -> None:
    """Cut every frame's crop into `folder`/crops.npy and say what became of it in `folder`/crops.jsonl.

    Unreadable frames, and frames without a face under the policy 'drop', get a row in the table and none in
    the array. What an interrupted call has left in the folder is kept, and this one continues from there.

    Args:
        detections: `read_detections`; None when `config.extract` is off.
        drawn: hand-drawn boxes by name, used under the policy 'manual'.
        turned_down: names of frames of which what a second look found is left out.
        source: folder of crops of these samples under 'manual' and the same settings, other hand-drawn boxes
            apart: all frames but the `changed` ones are copied from it.
        progress: called with (frames done, frames in all) of those to cut.
    """
    size, path = config.size, folder / TABLE
    there = _recover(path)
    require_room(folder, 0 if there else len(samples) * size * size * 3)
    kept = {}
    if source is not None and not there:
        shutil.copyfile(source / CROPS, folder / CROPS)
        lines = (source / TABLE).read_text(encoding="utf-8").splitlines(keepends=True)
        kept = {name: line for line in lines if (name := json.loads(line)["name"]) not in changed}
    whole = bool(there or kept)
    array = np.lib.format.open_memmap(
        folder / CROPS, mode="r+" if whole else "w+", dtype=np.uint8, shape=(len(samples), size, size, 3)
    )
    start, stride = array.offset, size * size * 3
    # Crops go through the file: pages written in a map count as this process's memory, 1.5 GB for 20,000.
    del array
    todo = samples[len(there) :]
    done, total = len(there), len(samples) - len(kept)
    row = sum(record["row"] >= 0 for record in there)
    cutting = frames([sample for sample in todo if sample.name not in kept])
    with (folder / CROPS).open("r+b") as pixels, path.open("a", encoding="utf-8") as table:
        for sample in todo:
            if sample.name in kept:
                table.write(kept[sample.name])
                row += json.loads(kept[sample.name])["row"] >= 0
                continue
            _, frame = next(cutting)
            found = None if detections is None else detections[sample.name]
            if found and found.rescued_by and sample.name in turned_down:
                found = found.none()
            record, crop = _cut(sample, frame, found, config, (drawn or {}).get(sample.name), row)
            if crop is not None:
                require_room(folder)
                pixels.seek(start + row * stride)
                pixels.write(crop.tobytes())
                pixels.flush()
                row += 1
            table.write(json.dumps(record) + "\n")
            table.flush()  # a crop that has its line is never cut again
            done += 1
            if progress and (done % 16 == 0 or done == total):
                progress(done, total)


def _cut(
    sample: Sample,
    frame: np.ndarray | str,
    faces: Faces | None,
    config: FacesConfig,
    drawn: Box | None,
    row: int,
) -> tuple[dict[str, object], np.ndarray | None]:
    """Return a frame's line of the table and its crop, which takes `row`; None where it has none."""
    reason = frame if isinstance(frame, str) else None
    if reason is not None:
        chosen = Chosen("unreadable")
    elif faces is None:
        chosen = Chosen(NOT_DETECTED)
    else:
        chosen, reason = choose(faces, config, drawn), faces.reason
    left_out = chosen.status == "unreadable" or (chosen.status == "none" and config.no_face == "drop")
    crop = None if isinstance(frame, str) or left_out else cut(frame, chosen, config)
    height, width = (0, 0) if isinstance(frame, str) else frame.shape[:2]
    record = {
        **{field: getattr(sample, field) for field in SAMPLE_FIELDS},
        "status": chosen.status,
        "probability": chosen.probability,
        "box": None if chosen.box is None else list(chosen.box),
        "landmarks": None if chosen.landmarks is None else chosen.landmarks.tolist(),
        "faces": chosen.faces,
        "height": height,
        "width": width,
        "row": -1 if crop is None else row,
        "reason": reason,
        "rescued_by": chosen.rescued_by,
    }
    return record, crop


@dataclass(frozen=True)
class Crops:
    """The crops of a data set.

    Attributes:
        table: one row a sample: name, label, split, group, clip, status, probability, box, landmarks, faces,
            height, width, row (index into `images`, -1 where there is no crop), reason, rescued_by (the
            policy that found the face on a second look, or None).
        images: (M, size, size, 3) uint8 RGB, memory-mapped, M at least the number of rows used.
    """

    table: pd.DataFrame
    images: np.ndarray

    @cached_property
    def sides(self) -> pd.Series:
        """The shorter side of each frame's face in source pixels, NaN where there is none; indexed as `table`."""
        boxes = [(np.nan,) * 4 if box is None else box for box in self.table["box"]]
        x1, y1, x2, y2 = np.array(boxes, dtype=float).reshape(-1, 4).T
        return pd.Series(np.minimum(x2 - x1, y2 - y1), index=self.table.index)

    def used(self) -> pd.DataFrame:
        """Return the table's rows that have a crop, in the order of `images`."""
        return self.table[self.table["row"] >= 0].sort_values("row").reset_index(drop=True)


def read_crops(folder: Path) -> Crops:
    """Open the crops that `crop_all` wrote.

    Raises:
        StoreError: they are missing or damaged.
    """
    try:
        with (folder / TABLE).open(encoding="utf-8") as lines:
            table = pd.DataFrame([{"rescued_by": None} | json.loads(line) for line in lines])
        images = np.load(folder / CROPS, mmap_mode="r")
    except (OSError, ValueError) as error:
        raise StoreError("crops must be readable", got=str(error), fix="Run the detection again") from error
    return Crops(table, images)
