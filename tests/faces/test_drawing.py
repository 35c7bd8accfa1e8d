"""Boxes drawn over a frame are where they are said to be, and the frame itself stays as it was."""

from __future__ import annotations

import numpy as np

from fer_core.faces.drawing import annotate


def test_the_outline_lies_on_the_box_and_the_frame_is_untouched() -> None:
    frame = np.zeros((100, 120, 3), np.uint8)
    drawn = annotate(frame, [(20.0, 30.0, 80.0, 90.0)], labels=["1 happy"], colours=["#ff0000"])
    assert not frame.any()
    assert drawn.shape == frame.shape
    red = (drawn == (255, 0, 0)).all(axis=2)
    rows, columns = np.nonzero(red)
    assert (columns.min(), columns.max()) == (20, 80)
    assert rows.max() == 90
    assert not red[45:75, 35:65].any()


def test_landmarks_and_labels_at_the_border_fit() -> None:
    frame = np.full((40, 40, 3), 90, np.uint8)
    points = np.array([[0, 0], [39, 39], [20, 20], [10, 30], [30, 30]], np.float32)
    drawn = annotate(frame, [(-5.0, -5.0, 39.0, 39.0)], labels=["surprise"], landmarks=[points])
    assert drawn.shape == frame.shape
    assert (drawn[20, 20] == (240, 228, 66)).all()
