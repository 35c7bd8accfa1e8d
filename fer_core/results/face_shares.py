"""What lost faces cost a run: its accuracy by how a frame's face was had, and what a perfect detector could add."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fer_core.evaluation.metrics import wilson
from fer_core.faces.crops import RESCUED

from .shares import interval, percent

#: Kinds of frames -> the statuses in a run's predictions that they take in.
KINDS: dict[str, tuple[str, ...]] = {
    "found": ("found",),
    "doubtful": ("several", "low-confidence"),
    "won back": (RESCUED,),
    "drawn": ("manual",),
    "lost": ("none",),
}

#: Kinds whose crops may show something else than the face that is meant.
UNSURE = ("doubtful", "lost")


@dataclass(frozen=True)
class FaceShare:
    """Held-out frames of one kind: how many, and the share that was recognised, with its 95 % Wilson interval."""

    images: int
    right: float

    def __str__(self) -> str:
        if not self.images:
            return "–"
        bounds = interval(wilson(self.right, self.images))
        return f"{percent(self.right / self.images)} ({bounds}), {self.images} frames"


def face_shares(summary: Mapping[str, Any]) -> dict[str, FaceShare]:
    """Return the kinds of frames that a run's summary names, in the order of `KINDS`; none without extraction."""
    found = {}
    for kind, statuses in KINDS.items():
        parts = [
            summary.get("by_status", {})[name] for name in statuses if name in summary.get("by_status", {})
        ]
        images = sum(part["images"] for part in parts)
        if images:
            right = sum(part["images"] * part["accuracy"] for part in parts if part["images"])
            found[kind] = FaceShare(images, right)
    return found


def at_most(summary: Mapping[str, Any]) -> float | None:
    """Return how many points (0..100) of accuracy a perfect detector could add at most; None without extraction.

    That is if every wrong answer on a lost or doubtful frame became right. A face would gain less: frames
    without a face are also the hard ones.
    """
    shares = face_shares(summary)
    total = sum(share.images for share in shares.values())
    wrong = sum(share.images - share.right for kind, share in shares.items() if kind in UNSURE)
    return 100 * wrong / total if total else None
