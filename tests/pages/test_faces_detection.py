"""Starting, watching and continuing a detection on the Faces page, without a browser."""

import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote_plus

import pytest
from faces_case import FRAMES
from page_case import labels, press, words
from streamlit.testing.v1 import AppTest
from worker_case import take

from fer_core.config.run import RunConfig
from fer_core.runs.jobs import held_run
from fer_core.runs.jobs.queue import claim
from fer_core.storage.store import Store
from fer_core.ui.parts.widgets import escaped

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


def test_frames_can_be_browsed_before_and_while_faces_are_looked_for(opened: Open, store: Store) -> None:
    for app in (opened(), press(opened(), "Detect faces")):
        assert f"{len(FRAMES)} of {len(FRAMES)} frames, whole" in words(app)
        assert tiles(app).count("data:image/jpeg") == len(FRAMES)
    take(store, "here")
    app = opened(**{"class": "happy", "group": "Lantern"})
    assert "2 of 2 frames, whole" in words(app)
    (name, *_) = re.findall(r"frame=([^\"&]+)", tiles(app))
    one = opened(frame=unquote_plus(name))
    assert "Back to the gallery" in labels(one)
    assert [picture.proto.imgs[0].caption for picture in one.get("image")] == [escaped(unquote_plus(name))]


def tiles(app: AppTest) -> str:
    return "".join(
        one.proto.body
        for one in app.get("html")
        if "fer-grid" in one.proto.body and "<figure" in one.proto.body
    )


def test_a_detection_whose_worker_is_gone_can_be_continued(opened: Open, store: Store) -> None:
    press(opened(), "Detect faces")
    assert claim(store, "gone", lease_seconds=-1.0) is not None
    app = opened()
    assert "what it has found is kept" in words(app)
    assert "Detect faces" not in labels(app)
    press(app, "Continue")
    take(store, "another")
    assert "Continue" not in labels(opened())


def test_the_audit_says_how_many_faces_frames_have_once_they_were_looked_for(
    page: Open, frames: Path, home: Path, config: RunConfig
) -> None:
    counts = Counter(found for *_, found in FRAMES)
    shown = page("app.py", home, data=str(frames))
    shown.session_state["read"] = True  # unfolded
    said = "\n".join(one.value for one in shown.run().code)
    assert f"faces per frame: none in {counts[0]}, 1 in {counts[1]}, 2 in {counts[2]}" in said
