"""Frozen boxes: the same boxes have the same key, other boxes another."""

from __future__ import annotations

from pathlib import Path

import pytest

from fer_core.errors import NotFoundError
from fer_core.faces.drawn_boxes import freeze_boxes, read_boxes
from fer_core.storage.artifacts import Artifacts

BOXES = {"a.png": (1.0, 2.0, 30.5, 40.25), "b.png": (5.0, 5.0, 9.0, 9.0)}


def test_boxes_come_back_as_they_were(tmp_path: Path) -> None:
    artifacts = Artifacts(tmp_path)
    assert read_boxes(artifacts, freeze_boxes(artifacts, BOXES)) == BOXES


def test_the_key_follows_the_boxes_and_not_their_order(tmp_path: Path) -> None:
    artifacts = Artifacts(tmp_path)
    turned = dict(reversed(BOXES.items()))
    moved = BOXES | {"b.png": (5.0, 5.0, 9.0, 9.5)}
    assert freeze_boxes(artifacts, turned) == freeze_boxes(artifacts, BOXES) != freeze_boxes(artifacts, moved)


def test_no_boxes_need_no_artifact(tmp_path: Path) -> None:
    artifacts = Artifacts(tmp_path)
    assert freeze_boxes(artifacts, {}) == ""
    assert read_boxes(artifacts, "") == {}
    with pytest.raises(NotFoundError):
        read_boxes(artifacts, "0" * 16)
