"""Frames in which the place of a face is known: drawn exactly by the generator, or by hand."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fer_core.config.run import digest
from fer_core.datasets.base import Dataset, Sample
from fer_core.datasets.generated.frames import LANDMARKS, truth_of
from fer_core.errors import DataError
from fer_core.faces.crops import Box


@dataclass(frozen=True)
class KnownFrame:
    """A frame with what is known of its faces.

    Attributes:
        sample: the frame.
        boxes: (n, 4) float32, source px; none where the frame is known to hold no face.
        landmarks: (n, 5, 2) float32, source px; NaN where unknown.
        complete: whether there is no other face in the frame. If not, whatever the pretrained detector takes
            for a face there is not held against a net.
    """

    sample: Sample
    boxes: np.ndarray
    landmarks: np.ndarray
    complete: bool

    @property
    def group(self) -> str:
        """What must not be trained on and tested on at once: movie or person, else clip."""
        return group_of(self.sample.group, self.sample.clip, self.sample.name)


def group_of(group: str, clip: str, name: str) -> str:
    """Return what a frame is dealt by when detectors are fine-tuned: movie or person, else clip, else itself."""
    return group or clip or name


def known_frames(dataset: Dataset, drawn: Mapping[str, Box]) -> list[KnownFrame]:
    """Return the frames of a data set whose faces are known, in the samples' order.

    Of a generated set these are all, with exact boxes and landmarks (of the labelled person where there are
    two); of any other those with a hand-drawn box, whose landmarks are unknown.

    Args:
        drawn: boxes (x1, y1, x2, y2) in source px by sample name.

    Raises:
        DataError: no box is known.
    """
    known = _generated(dataset) if dataset.generated else _drawn(dataset, drawn)
    if not any(len(frame.boxes) for frame in known):
        raise DataError(
            "a detector is fine-tuned on frames whose faces are known",
            got=f"no hand-drawn box in {dataset.name}",
            fix="Draw boxes on the Faces page, or use the generated set",
        )
    return known


def _generated(dataset: Dataset) -> list[KnownFrame]:
    table = truth_of(dataset.root).set_index("path")
    columns = [f"{name}_{axis}" for name in LANDMARKS for axis in "xy"]
    known = []
    for sample in dataset.samples:
        row: Any = table.loc[sample.name]
        boxes = row[["x1", "y1", "x2", "y2"]].to_numpy(np.float32)[None]
        points = row[columns].to_numpy(np.float32).reshape(1, 5, 2)
        there = int(np.isfinite(boxes).all())
        known.append(KnownFrame(sample, boxes[:there], points[:there], int(row["faces"]) == there))
    return known


def _drawn(dataset: Dataset, drawn: Mapping[str, Box]) -> list[KnownFrame]:
    unknown = np.full((1, 5, 2), np.nan, np.float32)
    return [
        KnownFrame(sample, np.array([drawn[sample.name]], np.float32), unknown, complete=False)
        for sample in dataset.samples
        if sample.name in drawn
    ]


def truth_digest(frames: Sequence[KnownFrame]) -> str:
    """Return what identifies the known faces: names, boxes, landmarks."""
    return digest(
        [
            [frame.sample.name, frame.boxes.tolist(), np.nan_to_num(frame.landmarks, nan=-1.0).tolist()]
            for frame in frames
        ]
    )


def split_by_group(
    frames: Sequence[KnownFrame], held_out: float, seed: int
) -> tuple[list[KnownFrame], list[KnownFrame]]:
    """Deal whole groups (movies, persons) into a training and a held-out part.

    Args:
        held_out: share of the groups that is held out, at least one and not all.

    Raises:
        DataError: all frames are of one group.
    """
    groups = sorted({frame.group for frame in frames})
    if len(groups) < 2:
        raise DataError(
            "a detector is fine-tuned on some movies or persons and tried on others",
            got=f"frames of {groups[0]!r} alone" if groups else "no frames",
            fix="Draw boxes in a second movie, or say how groups are named (--group-pattern)",
        )
    count = min(max(round(held_out * len(groups)), 1), len(groups) - 1)
    held = {groups[i] for i in np.random.default_rng(seed).permutation(len(groups))[:count]}
    parts: tuple[list[KnownFrame], list[KnownFrame]] = ([], [])
    for frame in frames:
        parts[frame.group in held].append(frame)
    return parts
