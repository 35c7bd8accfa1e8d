"""Two detectors on the same frames with known faces: what the second wins and loses against the first."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from fer_core.evaluation.metrics import difference, wilson
from fer_core.faces.crops import overlaps
from fer_core.faces.extraction import Progress, frames
from fer_core.faces.mtcnn.detector import MTCNN

from .known_faces import KnownFrame

#: Least IoU of a detection with a true box for the face to count as found.
FOUND = 0.5

#: IoU below which a detection lies beside a true face.
BESIDE = 0.3


def score(
    known: Sequence[KnownFrame], before: MTCNN, after: MTCNN, progress: Progress | None = None
) -> dict[str, Any]:
    """Compare two detectors on frames that neither may have been trained on; unreadable ones are left out.

    Returns:
        `frames`, `faces` (frames with a known face), `empty` (frames known to hold none); as counts with their
        share and its 95 % Wilson interval: `found_before`, `found_after` (of the faces), `won` (of those
        missed before), `lost` (of those found before), `false_before`, `false_after` (empty frames with a
        detection, of all empty ones), `beside_before`, `beside_after` (frames known to hold one face alone in
        which a detection lies beside it); `iou_before`, `iou_after`, `iou_gain`: means over the faces found by
        both, with an interval over movies (`metrics.difference`), since a mean IoU is no share of frames.
    """
    overlap, groups, spurious, beside = [], [], [], []
    of = {frame.sample.name: frame for frame in known}
    for done, (sample, image) in enumerate(frames([frame.sample for frame in known]), start=1):
        if not isinstance(image, str):
            frame = of[sample.name]
            boxes = [detector.detect([image])[0].boxes for detector in (before, after)]
            if len(frame.boxes):
                shares = [overlaps(own, frame.boxes[:1]) for own in boxes]
                overlap.append([own.max(initial=0.0) for own in shares])
                groups.append(frame.group)
                if frame.complete:
                    beside.append([bool((own < BESIDE).any()) for own in shares])
            elif frame.complete:
                spurious.append([len(own) > 0 for own in boxes])
        if progress:
            progress(done, len(known))
    iou = np.array(overlap, np.float64).reshape(-1, 2)
    wrong = np.array(spurious, bool).reshape(-1, 2)
    stray = np.array(beside, bool).reshape(-1, 2)
    was, now = (iou >= FOUND).T
    both = was & now
    movies = [group for group, kept in zip(groups, both, strict=True) if kept]
    figures = {
        "frames": len(iou) + len(wrong),
        "faces": len(iou),
        "empty": len(wrong),
        "won": _share((~was & now).sum(), (~was).sum()),
        "lost": _share((was & ~now).sum(), was.sum()),
        "iou_gain": _mean(iou[both, 1] - iou[both, 0], movies),
    }
    for index, when in enumerate(("before", "after")):
        figures[f"found_{when}"] = _share((iou[:, index] >= FOUND).sum(), len(iou))
        figures[f"false_{when}"] = _share(wrong[:, index].sum(), len(wrong))
        figures[f"beside_{when}"] = _share(stray[:, index].sum(), len(stray))
        figures[f"iou_{when}"] = _mean(iou[both, index], movies)
    return figures


def _share(count: int, total: int) -> dict[str, Any]:
    """Return a count with its share of `total` and the share's interval; None for shares of nothing."""
    if not total:
        return {"count": 0, "of": 0, "share": None, "interval": None}
    low, high = wilson(int(count), int(total))
    return {"count": int(count), "of": int(total), "share": int(count) / int(total), "interval": [low, high]}


def _mean(values: np.ndarray, movies: list[str]) -> dict[str, Any]:
    if not len(values):
        return {"mean": None, "interval": None}
    interval = difference(values, movies).interval
    return {
        "mean": float(values.mean()),
        "interval": list(interval) if np.isfinite(interval).all() else None,
    }
