"""Frozen boxes: the same boxes have the same key, other boxes another."""

from pathlib import Path

import pytest

from fer_core.errors import NotFoundError
from fer_core.faces.crops_artifact import freeze_boxes, read_boxes
from fer_core.storage.artifacts import Artifacts

BOXES = {"a.png": (1.0, 2.0, 30.5, 40.25), "b.png": (5.0, 5.0, 9.0, 9.0)}


def test_boxes_come_back_by_a_key_that_follows_them_and_not_their_order(tmp_path: Path) -> None:
    artifacts = Artifacts(tmp_path)
    key = freeze_boxes(artifacts, BOXES)
    assert read_boxes(artifacts, key) == BOXES
    assert freeze_boxes(artifacts, dict(reversed(BOXES.items()))) == key
    assert freeze_boxes(artifacts, BOXES | {"b.png": (5.0, 5.0, 9.0, 9.5)}) != key


def test_no_boxes_need_no_artifact(tmp_path: Path) -> None:
    artifacts = Artifacts(tmp_path)
    assert freeze_boxes(artifacts, {}) == ""
    assert read_boxes(artifacts, "") == {}
    with pytest.raises(NotFoundError):
        read_boxes(artifacts, "0" * 16)
