"""What lost faces cost a run: its accuracy by how a frame's face was had, and what a perfect detector could add."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fer_core.faces.crops import RESCUED

from .shares import part_interval, percent

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
    """Held-out frames of one kind: how many, how many of them right (a mean over seeds), and the interval in words."""

    images: int
    right: float
    interval: str

    def __str__(self) -> str:
        if not self.images:
            return "–"
        return f"{percent(self.right / self.images)} ({self.interval}), {self.images} frames"


def face_shares(summary: Mapping[str, Any]) -> dict[str, FaceShare]:
    """Return the kinds of frames that a run's summary names, in the order of `KINDS`; none without extraction."""
    found = {}
    for kind, statuses in KINDS.items():
        known = summary.get("by_status", {})
        parts = [known[kind]] if kind in known else [known[name] for name in statuses if name in known]
        images = sum(part["images"] for part in parts)
        if images:
            right = sum(part["images"] * part["accuracy"] for part in parts if part["images"])
            own = part_interval(parts[0]) if len(parts) == 1 else "no interval: figures of an older version"
            found[kind] = FaceShare(images, right, own)
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
