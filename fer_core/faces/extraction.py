"""Detection and cropping over a whole data set: streamed, resumable, one line or one row a frame.

Decoding runs ahead in threads (Pillow releases the interpreter lock) while the detector works, and what is
found is appended to a file at once, so a killed detection goes on where it stopped.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd

from fer_core.config.run import FacesConfig
from fer_core.datasets.base import Sample
from fer_core.datasets.images import load_rgb
from fer_core.errors import DataError, StoreError

from .crops import Box, Chosen, Faces, choose, cut

DETECTIONS = "detections.jsonl"
CROPS = "crops.npy"
TABLE = "crops.jsonl"

#: Status of a frame that no face was looked for in (`FacesConfig.extract` off).
NOT_DETECTED = "whole frame"

#: Frames handed to the detector at once.
BATCH = 16

Progress = Callable[[int, int], None]

#: Looks for faces in samples: yields one line of JSON a frame, a batch at a time, in the samples' order.
Detect = Callable[[Sequence[Sample]], Iterable[list[str]]]

#: A second look at an (H, W, 3) uint8 RGB frame with no face: `faces.rescue.rescuer` makes one.
SecondLook = Callable[[np.ndarray], Faces | None]


class Found(Protocol):
    """The faces of one image, in its pixels: `faces.mtcnn.Detection` and `Faces` are such."""

    @property
    def boxes(self) -> np.ndarray:
        """(n, 4) float32."""

    @property
    def probabilities(self) -> np.ndarray:
        """(n,) float32."""

    @property
    def landmarks(self) -> np.ndarray:
        """(n, 5, 2) float32."""


class Detector(Protocol):
    """What `detect_all` needs of a detector: `faces.mtcnn.MTCNN` is one."""

    def detect(self, images: Sequence[np.ndarray]) -> Sequence[Found]:
        """Return the faces of each (H, W, 3) uint8 RGB image."""


def frames(samples: Sequence[Sample], ahead: int = 24) -> Iterator[tuple[Sample, np.ndarray | str]]:
    """Yield each sample with its (H, W, 3) uint8 RGB frame, or with the reason why it can't be read."""
    with ThreadPoolExecutor(max_workers=2, thread_name_prefix="decode") as pool:
        waiting: deque[tuple[Sample, Future[np.ndarray | str]]] = deque()
        for sample in samples:
            waiting.append((sample, pool.submit(_decode, sample.path)))
            if len(waiting) >= ahead:
                first, future = waiting.popleft()
                yield first, future.result()
        while waiting:
            first, future = waiting.popleft()
            yield first, future.result()


def _decode(path: Path) -> np.ndarray | str:
    try:
        return load_rgb(path)
    except DataError as error:
        return str(error)


def detect_all(
    samples: Sequence[Sample],
    detector: Detector,
    folder: Path,
    *,
    batch: int = BATCH,
    second_look: SecondLook | None = None,
    progress: Progress | None = None,
) -> None:
    """Detect faces in every sample and append one line a frame to `folder`/detections.jsonl.

    Frames that already have a line are not looked at again.

    Args:
        samples: the frames, of any sizes.
        detector: gives faces for a list of RGB arrays.
        batch: frames handed to the detector at once.
        second_look: asked about every frame in which the detector finds no face.
        progress: called with (frames done, frames in all) after every batch.
    """
    write_detections(
        samples,
        folder,
        lambda todo: detected(todo, detector, batch=batch, second_look=second_look),
        progress=progress,
    )


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
            file.write("".join(lines))
            file.flush()
            finished += len(lines)
            if progress:
                progress(finished, len(samples))
    if progress:
        progress(finished, len(samples))


def detected(
    samples: Sequence[Sample],
    detector: Detector,
    *,
    batch: int = BATCH,
    second_look: SecondLook | None = None,
) -> Iterator[list[str]]:
    """Yield, a batch of frames at a time, one line of JSON a frame: its name and `Faces.to_dict`."""
    pending: list[tuple[Sample, np.ndarray | str]] = []
    for item in frames(samples, ahead=batch + 8):
        pending.append(item)
        if len(pending) == batch:
            yield _detect_batch(pending, detector, second_look)
            pending = []
    if pending:
        yield _detect_batch(pending, detector, second_look)


def _detect_batch(
    pending: Sequence[tuple[Sample, np.ndarray | str]], detector: Detector, second_look: SecondLook | None
) -> list[str]:
    images = [frame for _, frame in pending if not isinstance(frame, str)]
    found = iter(detector.detect(images) if images else ())
    lines = []
    for sample, frame in pending:
        if isinstance(frame, str):
            faces = Faces.unreadable(frame)
        else:
            one = next(found)
            height, width = frame.shape[:2]
            faces = Faces(width, height, one.boxes, one.probabilities, one.landmarks)
            if second_look and not len(faces):
                faces = second_look(frame) or faces
        lines.append(json.dumps({"name": sample.name, **faces.to_dict()}) + "\n")
    return lines


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
    progress: Progress | None = None,
) -> None:
    """Cut every frame's crop into `folder`/crops.npy and say what became of it in `folder`/crops.jsonl.

    Unreadable frames, and frames without a face under the policy 'drop', get a row in the table and none in
    the array. What an interrupted call has left in the folder is kept and gone on from.

    Args:
        detections: `read_detections`; None when `config.extract` is off.
        drawn: hand-drawn boxes by name, used under the policy 'manual'.
    """
    size, path = config.size, folder / TABLE
    cut = _recover(path)
    array = np.lib.format.open_memmap(
        folder / CROPS, mode="r+" if cut else "w+", dtype=np.uint8, shape=(len(samples), size, size, 3)
    )
    start, stride = array.offset, size * size * 3
    del (
        array
    )  # crops go through the file: pages written in a map count as this process's memory, 1.5 GB for 20,000
    done, row = len(cut), sum(int(record["row"] >= 0) for record in cut)
    finished = {record["name"] for record in cut}
    with (folder / CROPS).open("r+b") as pixels, path.open("a", encoding="utf-8") as lines:
        for sample, frame in frames([sample for sample in samples if sample.name not in finished]):
            record, crop = _cut(sample, frame, detections, config, drawn or {}, row)
            if crop is not None:
                pixels.seek(start + row * stride)
                pixels.write(crop.tobytes())
                pixels.flush()
                row += 1
            lines.write(json.dumps(record) + "\n")
            lines.flush()  # a crop that has its line is never cut again
            done += 1
            if progress and (done % 16 == 0 or done == len(samples)):
                progress(done, len(samples))


def crop_one(
    sample: Sample,
    detections: Mapping[str, Faces] | None,
    config: FacesConfig,
    drawn: Mapping[str, Box],
    row: int,
) -> tuple[dict[str, object], np.ndarray | None]:
    """Decode and cut one frame: its line of the table and its crop (size, size, 3) uint8, as `crop_all` does.

    Args:
        row: where the crop stands in the array, if there is one.
    """
    return _cut(sample, _decode(sample.path), detections, config, drawn, row)


def _cut(
    sample: Sample,
    frame: np.ndarray | str,
    detections: Mapping[str, Faces] | None,
    config: FacesConfig,
    drawn: Mapping[str, Box],
    row: int,
) -> tuple[dict[str, object], np.ndarray | None]:
    chosen, reason = _become(sample, frame, detections, config, drawn)
    shape = (0, 0) if isinstance(frame, str) else frame.shape[:2]
    dropped = chosen.status == "none" and config.no_face == "drop"
    if isinstance(frame, str) or chosen.status == "unreadable" or dropped:
        return _record(sample, chosen, -1, reason, shape), None
    return _record(sample, chosen, row, reason, shape), cut(frame, chosen, config)


def _become(
    sample: Sample,
    frame: np.ndarray | str,
    detections: Mapping[str, Faces] | None,
    config: FacesConfig,
    drawn: Mapping[str, Box],
) -> tuple[Chosen, str | None]:
    if isinstance(frame, str):
        return Chosen("unreadable", None, None, None, 0), frame
    if detections is None:
        return Chosen(NOT_DETECTED, None, None, None, 0), None
    faces = detections[sample.name]
    return choose(faces, config, drawn.get(sample.name)), faces.reason


def _record(
    sample: Sample, chosen: Chosen, row: int, reason: str | None, shape: tuple[int, ...]
) -> dict[str, object]:
    return {
        **{field: getattr(sample, field) for field in ("name", "label", "split", "group", "clip")},
        "status": chosen.status,
        "probability": chosen.probability,
        "box": None if chosen.box is None else list(chosen.box),
        "landmarks": None if chosen.landmarks is None else chosen.landmarks.tolist(),
        "faces": chosen.faces,
        "height": shape[0],
        "width": shape[1],
        "row": row,
        "reason": reason,
        "rescued_by": chosen.rescued_by,
    }


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
