"""Starting, watching and going on with a detection on the Faces page, without a browser."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from faces_case import FRAMES, make_frames
from streamlit.testing.v1 import AppTest

from fer_core.runs.jobs import held_run
from fer_core.runs.jobs.queue import claim
from fer_core.storage.store import Store


@pytest.fixture
def opened(
    page: Callable[..., AppTest], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[], AppTest]:
    """Return a function that opens the page on frames in which no face was looked for; no worker is started."""
    frames = make_frames(tmp_path / "small")
    monkeypatch.setattr("fer_core.runs.jobs.executors.launch", lambda settings: None)

    def open_page() -> AppTest:
        app = page("pages/faces.py", tmp_path / "home", data=str(frames))
        assert not app.exception
        return app

    return open_page


def buttons(app: AppTest) -> set[str]:
    return {button.label for button in app.button}


def said(app: AppTest) -> str:
    return "\n".join(element.value for element in app.markdown)


def press(app: AppTest, label: str) -> AppTest:
    found = next(button for button in app.button if button.label == label).click().run()
    assert not found.exception
    return found


def test_a_detection_is_started_once_watched_and_cancelled(
    opened: Callable[[], AppTest], tmp_path: Path
) -> None:
    app = opened()
    assert "have not been looked for" in said(app)
    assert "Cancel" not in buttons(app)
    app = press(app, "Detect faces")
    assert "are being looked for" in said(app)
    assert "Detect faces" not in buttons(app)

    store = Store(tmp_path / "home" / "fer.sqlite")
    held = claim(store, "here")
    assert held is not None
    held_run.write_progress(store, held, "detecting faces", 3, len(FRAMES))
    app = opened()
    assert [one.proto.text for one in app.get("progress")] == [f"detecting faces: 3 of {len(FRAMES)}"]
    assert "Detect faces" not in buttons(app)

    press(app, "Cancel")
    held_run.end(store, held, "cancelled", 1.0)
    app = opened()
    assert "have not been looked for" in said(app)
    assert "Detect faces" in buttons(app)
    store.close()


def test_a_detection_whose_worker_is_gone_can_be_gone_on_with(
    opened: Callable[[], AppTest], tmp_path: Path
) -> None:
    press(opened(), "Detect faces")
    store = Store(tmp_path / "home" / "fer.sqlite")
    assert claim(store, "gone", lease_seconds=-1.0) is not None
    app = opened()
    assert any("what it has found is kept" in warning.value for warning in app.warning)
    assert "Detect faces" not in buttons(app)
    press(app, "Go on")
    held = claim(store, "another")
    assert held is not None
    assert "Go on" not in buttons(opened())
    store.close()
