"""What is shown of a webcam changes gradually, face by face, and keeps no picture."""

import numpy as np

from fer_core.prediction.answers import Prediction
from fer_core.ui.predict.live import smoothed


def face(left: float, label: int, *, calibrated: bool = False) -> Prediction:
    said = np.eye(7, dtype=np.float32)[label]
    box, crop = (left, 0.0, left + 100, 100.0), np.zeros((4, 4, 3), np.uint8)
    return Prediction("found", box, 0.9, None, crop, said, 1.0, said if calibrated else None)


def test_faces_are_averaged_with_those_in_their_place_whatever_their_order() -> None:
    first = smoothed([], [face(0, 3), face(500, 5, calibrated=True)])
    right, left = smoothed(first, [face(520, 1, calibrated=True), face(0, 3)])
    assert (right.box, right.best[[1, 5]].tolist()) == ((510, 0, 610, 100), [0.5, 0.5])
    assert (left.label, left.confidence, left.calibrated) == ("happy", 1.0, None)
    [moved] = smoothed([right, left], [face(250, 2)])
    assert moved.confidence == 1.0
    for _ in range(3):
        [right, _] = smoothed([right, left], [face(520, 1, calibrated=True), face(0, 3)])
    assert right.best[5] == 0.5**4
    assert right.crop.size == 0
    assert smoothed([right], []) == []
