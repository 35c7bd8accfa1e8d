"""What lost faces cost, from a run's figures."""

from __future__ import annotations

import numpy as np
import pytest

from fer_core.evaluation.metrics import summary
from fer_core.results.shares import at_most, face_shares, percent

#: (status, frames, right ones)
FRAMES = (
    ("found", 40, 30),
    ("several", 6, 3),
    ("low-confidence", 4, 1),
    ("rescued", 10, 6),
    ("manual", 5, 5),
    ("none", 15, 3),
)


def figures(frames: tuple[tuple[str, int, int], ...]) -> dict:
    """Return the summary of a run with so many right and wrong answers of each status."""
    statuses = [status for status, total, _ in frames for _ in range(total)]
    right = [index < good for _, total, good in frames for index in range(total)]
    labels = np.arange(len(statuses)) % 7
    said = np.where(right, labels, (labels + 1) % 7)
    return summary(labels, np.eye(7)[said] * 0.94 + 0.06 / 7, [""] * len(labels), statuses, [0] * len(labels))


def test_a_half_is_rounded_up_as_in_a_browsers_tables() -> None:
    assert [percent(share) for share in (5 / 16, 3 / 16, 1.0, 0.0)] == [
        "31.3 %",
        "18.8 %",
        "100.0 %",
        "0.0 %",
    ]
    assert percent(0.123456, 2) == "12.35 %"
    assert percent(float("nan")) == percent(None) == "–"


def test_frames_are_told_apart_by_how_their_face_was_had() -> None:
    shares = face_shares(figures(FRAMES))
    assert {kind: (share.images, round(share.right)) for kind, share in shares.items()} == {
        "found": (40, 30),
        "doubtful": (10, 4),
        "won back": (10, 6),
        "drawn": (5, 5),
        "lost": (15, 3),
    }
    assert str(shares["won back"]).startswith("60.0 % (31.3")


def test_a_perfect_detector_could_at_most_set_right_what_is_wrong_without_a_sure_face() -> None:
    assert at_most(figures(FRAMES)) == pytest.approx(100 * (6 + 12) / 80)
    assert at_most(figures(FRAMES[:1])) == 0
    assert at_most(figures((("", 20, 10),))) is None  # no face was looked for
