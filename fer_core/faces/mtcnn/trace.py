"""What each stage of a detection saw and removed, as compact arrays a page can draw."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Literal

import numpy as np

Stage = Literal["pnet", "rnet", "onet"]


class Fate(IntEnum):
    """What became of a candidate within its stage."""

    BELOW = 0  # its score did not pass the threshold
    OUTSIDE = 1  # no pixel of it lies in the frame, so it has no score
    SCALE_NMS = 2  # a stronger candidate of the same pyramid level covers it (P-Net only)
    NMS = 3  # a stronger candidate of the stage covers it
    KEPT = 4  # it went on to the next stage, or is a face


@dataclass(frozen=True)
class StageTrace:
    """Candidates of one stage, in the order the stage met them.

    Attributes:
        stage: "pnet", "rnet" or "onet".
        threshold: score a candidate had to reach (P-Net) or exceed (R- and O-Net).
        boxes: (n, 4) float32 x1, y1, x2, y2, source px. P-Net: the cells that reached the threshold, before
            their offsets. R- and O-Net: every box the stage looked at.
        scores: (n,) float32 face probabilities, NaN where the fate is OUTSIDE.
        fates: (n,) uint8 of `Fate`.
        kept: (m,) int64 indices of the candidates that went on, in the order the next stage met them:
            row i of the next stage's `boxes` is what became of `boxes[kept[i]]`.
        scale: (n,) uint16 index into `Trace.scales` (P-Net only, else empty).
    """

    stage: Stage
    threshold: float
    boxes: np.ndarray
    scores: np.ndarray
    fates: np.ndarray
    kept: np.ndarray
    scale: np.ndarray

    def count(self, fate: Fate) -> int:
        """Number of candidates with this fate."""
        return int((self.fates == fate).sum())


@dataclass(frozen=True)
class Failure:
    """Where the last candidate of a frame with no face died.

    Attributes:
        stage: the stage that let nothing through.
        threshold, score: what was asked, and the best score met there.
        box: (4,) float32 of that best candidate, source px.
    """

    stage: Stage
    threshold: float
    score: float
    box: np.ndarray


@dataclass(frozen=True)
class Trace:
    """A detection stage by stage.

    Attributes:
        pnet, rnet, onet: what each stage saw; empty arrays where a stage before it kept nothing.
        scales: (s,) float64 pyramid scales, largest first; empty for an image smaller than the least face.
        best: (s,) float32 P-Net's highest probability at each scale, passed or not.
        best_boxes: (s, 4) float32 the cell where it lies, source px.
    """

    pnet: StageTrace
    rnet: StageTrace
    onet: StageTrace
    scales: np.ndarray
    best: np.ndarray
    best_boxes: np.ndarray

    def failure(self) -> Failure | None:
        """Stage, threshold and score at which the last candidate died; None if a face was found.

        None too where no pyramid level fits the image: there was no candidate at all.
        """
        if len(self.onet.kept) or not len(self.scales):
            return None
        for stage in (self.onet, self.rnet):
            if np.isfinite(stage.scores).any():
                i = int(np.nanargmax(stage.scores))
                return Failure(stage.stage, stage.threshold, float(stage.scores[i]), stage.boxes[i])
        i = int(self.best.argmax())
        return Failure("pnet", self.pnet.threshold, float(self.best[i]), self.best_boxes[i])
