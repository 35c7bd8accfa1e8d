"""What pages keep for the life of the server."""

import json
from pathlib import Path

import numpy as np
import pytest

from fer_core.faces.crops import Faces
from fer_core.faces.extraction import DETECTIONS
from fer_core.storage.artifacts import Artifacts
from fer_core.ui.cache import resources


def test_a_detection_is_seen_once_it_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    artifacts = Artifacts(tmp_path)
    monkeypatch.setattr(resources, "artifacts", lambda: artifacts)
    key = "d" * 16
    assert resources.detections(key) == {}
    faces = Faces(4, 3, np.zeros((0, 4)), np.zeros(0), np.zeros((0, 5, 2)))

    def build(folder: Path) -> None:
        (folder / DETECTIONS).write_text(json.dumps({"name": "a.png", **faces.to_dict()}))

    artifacts.ensure("detections", key, {}, build)
    found = resources.detections(key)["a.png"]
    assert (found.width, found.height) == (4, 3)
