"""Boxes drawn over a frame are where they are said to be, and the frame itself stays as it was."""

import numpy as np

from fer_core.faces.drawing import FATES, annotate, draw_fates, draw_pyramid
from fer_core.faces.mtcnn.trace import Fate


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


def test_candidates_are_drawn_in_the_colours_of_their_fates() -> None:
    boxes = np.array([[10, 10, 40, 40], [60, 10, 90, 40]], np.float32)
    fates = np.array([Fate.KEPT, Fate.BELOW], np.uint8)
    drawn = draw_fates(np.zeros((50, 100, 3), np.uint8), boxes, fates)
    assert drawn.shape == (640, 1280, 3)
    assert "#{:02x}{:02x}{:02x}".format(*drawn[320, 129]) == FATES[Fate.KEPT][0]
    red, green, blue = drawn[320, 769]
    assert red > green > blue
    assert not drawn[320, 640].any()


def test_the_pyramid_is_drawn_from_large_to_small() -> None:
    image = np.full((60, 80, 3), 200, np.uint8)
    scales = (0.6, 0.3, 0.15)
    drawn = draw_pyramid(image, scales, np.tile([0, 0, 10, 10], (3, 1)))
    filled = (drawn[..., 3] > 0).sum(axis=0)
    heights = [int(n) for n in dict.fromkeys(filled.tolist()) if n]
    assert drawn.shape[1] == 1280
    assert heights == sorted(heights, reverse=True)
    assert len(heights) == 3
