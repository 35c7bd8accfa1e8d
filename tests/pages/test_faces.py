"""The Faces page without a browser: counts, filters by URL, and what a hand-drawn box changes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from faces_case import FRAMES, frame_name, shown_publicly
from page_case import labels, press, words
from streamlit.testing.v1 import AppTest

from fer_core.config.run import RunConfig
from fer_core.runs.jobs.queue import submit
from fer_core.storage.artifacts import Artifacts
from fer_core.storage.store import Store

Open = Callable[..., AppTest]


def counts(app: AppTest) -> dict[str, int]:
    return {metric.label: int(metric.value) for metric in app.metric}


@pytest.fixture(autouse=True)
def _detected(config: RunConfig) -> None:
    """Have faces looked for in the frames before the page is opened."""


def test_a_frame_that_is_not_there_is_named_as_text(opened: Open) -> None:
    app = opened(frame="![](https://elsewhere.test/a.png)")
    assert "no frame named" in app.warning[0].value
    assert "elsewhere.test" in app.warning[0].value
    assert "![](" not in app.warning[0].value


def test_a_link_names_its_view_and_filters_however_they_are_written(opened: Open) -> None:
    app = opened(frames="failed", status="NONE", **{"class": ["Happy", "nobody"]})
    assert not app.exception
    assert app.session_state["frames"] == "failed"
    assert app.session_state["status"] == ["none"]
    assert app.session_state["class"] == ["happy"]
    assert ["nobody" in toast.value for toast in app.toast] == [True]


def test_counts_are_those_of_the_detection(opened: Open) -> None:
    assert counts(opened()) == {
        "Found": 3,
        "Several": 1,
        "Low-confidence": 0,
        "None": 3,
        "Manual": 0,
        "Unreadable": 0,
    }


@pytest.mark.parametrize(
    ("query", "passed"),
    [
        ({"status": "none"}, 3),
        ({"class": "happy"}, 3),
        ({"group": "Harbor"}, 3),
        ({"probability": ["0.97", "1.0"]}, 4),
        ({"probability": ["0.0", "0.5"]}, 0),
        ({"size": ["70", "80"]}, 4),
        ({"size": ["0", "60"]}, 0),
        ({"class": "happy", "status": "several"}, 1),
        ({"frames": "Failed detections"}, 4),
    ],
)
def test_filters_come_from_the_url(opened: Open, query: dict[str, object], passed: int) -> None:
    app = opened(**query)
    counts(app)
    text = words(app)
    if passed:
        assert f"of {passed} frames" in text
    else:
        assert "No frame passes" in app.info[-1].value


def test_a_box_in_the_store_is_cut_when_the_page_opens(
    opened: Open, config: RunConfig, store: Store, home: Path
) -> None:
    store.add_manual_box(config.data.fingerprint, frame_name(0), (200.0, 60.0, 260.0, 140.0), author="ann")
    found = counts(opened())
    assert (found["None"], found["Manual"]) == (2, 1)
    assert len(Artifacts(home / "artifacts").keys("crops")) == 2
    assert not store.runs(status=["queued", "running"])  # no detection was asked for


def test_remove_and_undo_change_the_counts_and_leave_no_copies(
    opened: Open, config: RunConfig, store: Store, home: Path
) -> None:
    artifacts = Artifacts(home / "artifacts")
    store.add_manual_box(config.data.fingerprint, frame_name(0), (200.0, 60.0, 260.0, 140.0), author="ann")
    app = opened(frame=frame_name(0))
    assert "manual **1**" in words(app)
    assert "Drawn by **ann**" in words(app)
    with_box = set(artifacts.keys("crops"))
    assert with_box == {config.crops_key(), *with_box}
    assert len(with_box) == 2

    app.button(key=f"remove-{frame_name(0)}").click().run()
    assert "none **3**" in words(app)
    assert "Removed by **test@example.com**" in words(app)  # whom AppTest logs in
    assert artifacts.keys("crops") == [config.crops_key()]

    app.button(key=f"undo-{frame_name(0)}").click().run()
    assert "manual **1**" in words(app)
    assert "Drawn by **ann**" in words(app)
    assert set(artifacts.keys("crops")) == with_box


def test_a_box_is_named_where_it_is_saved(opened: Open, config: RunConfig, store: Store) -> None:
    name, box = frame_name(0), (200.0, 60.0, 260.0, 140.0)
    store.add_manual_box(config.data.fingerprint, name, box, author="ann")
    app = opened(frame=name)
    assert app.button(key=f"save-{name}").disabled  # nothing has changed
    app.text_input(key=f"note-{name}-1").set_value("Harry, *left*").run()
    app.button(key=f"save-{name}").click().run()
    assert "“Harry, \\*left\\*”: Drawn by **test@example.com**" in words(app)
    entry = store.manual_boxes(config.data.fingerprint).iloc[0]
    assert (entry["note"], entry["version"], entry["x1"]) == ("Harry, *left*", 2, box[0])
    app.button(key=f"undo-{name}").click().run()
    assert "Harry" not in words(app)


def test_crops_that_a_run_names_stay(opened: Open, config: RunConfig, store: Store, home: Path) -> None:
    artifacts = Artifacts(home / "artifacts")
    store.add_manual_box(config.data.fingerprint, frame_name(0), (200.0, 60.0, 260.0, 140.0))
    app = opened(frame=frame_name(0))
    (key,) = set(artifacts.keys("crops")) - {config.crops_key()}
    faces = config.faces.model_copy(
        update={"manual_boxes": artifacts.read_config("crops", key)["faces"]["manual_boxes"]}
    )
    submit(store, config.model_copy(update={"faces": faces}))
    app.button(key=f"remove-{frame_name(0)}").click().run()
    assert key in artifacts.keys("crops")


def test_under_another_policy_boxes_play_no_part(opened: Open, config: RunConfig, store: Store) -> None:
    store.add_manual_box(config.data.fingerprint, frame_name(0), (200.0, 60.0, 260.0, 140.0))
    app = opened(frame=frame_name(0), no_face="resize it whole (the paper)")
    assert "play no part" in " ".join(info.value for info in app.info)
    assert "none **3**" in words(app)
    assert "Save box" not in labels(app)


def test_a_hosted_demo_changes_nothing(
    opened: Open, config: RunConfig, store: Store, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit(store, shown_publicly(config))  # a demo opens only data sets it knows
    monkeypatch.setenv("FER_DEMO", "1")
    app = opened(frame=frame_name(0))
    assert "drawing and importing boxes is off" in words(app)
    assert "Save box" not in labels(app)


def test_the_next_failed_frame_is_the_next_by_name(opened: Open) -> None:
    app = opened(frame=frame_name(0))
    app = press(app, "Next failed frame")
    failed = [frame_name(index) for index, (*_, faces) in enumerate(FRAMES) if faces != 1]
    later = min(name for name in failed if name > frame_name(0))
    assert app.query_params["frame"] == later


def test_of_selected_frames_only_those_are_won_back(opened: Open, frames: Path) -> None:
    app = opened()
    assert "Win back lost faces (3)" in labels(app)
    chosen = frozenset({frame_name(0), frame_name(1)})
    app.session_state["frames-picked"], app.session_state["frames-turn"] = (str(frames), chosen), 1
    app.run()
    assert "**2 selected**" in words(app)
    assert {"Win back lost faces (1)", "Win back 1", "Clear"} <= {*labels(app)}
