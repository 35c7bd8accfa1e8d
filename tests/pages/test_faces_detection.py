"""Starting, watching and continuing a detection on the Faces page, without a browser."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from faces_case import FRAMES
from page_case import labels, press, words
from streamlit.testing.v1 import AppTest
from worker_case import take

from fer_core.runs.jobs import held_run
from fer_core.runs.jobs.queue import claim
from fer_core.storage.store import Store

Open = Callable[..., AppTest]

pytestmark = pytest.mark.usefixtures("launched")


def test_a_detection_is_started_once_watched_and_cancelled(opened: Open, store: Store) -> None:
    app = opened()
    assert "have not been looked for" in words(app)
    assert "Cancel" not in labels(app)
    app = press(app, "Detect faces")
    assert "are being looked for" in words(app)
    assert "Detect faces" not in labels(app)

    held = take(store, "here")
    held_run.write_progress(store, held, "detecting faces", 3, len(FRAMES))
    app = opened()
    assert [one.proto.text for one in app.get("progress")] == [f"detecting faces: 3 of {len(FRAMES)}"]
    assert "Detect faces" not in labels(app)

    press(app, "Cancel")
    held_run.end(store, held, "cancelled", 1.0)
    app = opened()
    assert "have not been looked for" in words(app)
    assert "Detect faces" in labels(app)


def test_a_detection_whose_worker_is_gone_can_be_continued(opened: Open, store: Store) -> None:
    press(opened(), "Detect faces")
    assert claim(store, "gone", lease_seconds=-1.0) is not None
    app = opened()
    assert "what it has found is kept" in words(app)
    assert "Detect faces" not in labels(app)
    press(app, "Continue")
    take(store, "another")
    assert "Continue" not in labels(opened())
