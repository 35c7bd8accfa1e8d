"""A frame's stages, the bench and the table of accuracies on the Faces page, without a browser."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from faces_case import frame_name
from page_case import press, words
from streamlit.testing.v1 import AppTest
from worker_case import take

from fer_core.config.run import RunConfig
from fer_core.learning.reporting import RunResult
from fer_core.prediction import limits
from fer_core.results.rows import title
from fer_core.runs.jobs import held_run
from fer_core.runs.jobs.queue import submit
from fer_core.storage.store import Store
from fer_core.ui.parts.widgets import run_link

Open = Callable[..., AppTest]

NONE, FOUND = frame_name(0), frame_name(1)


pytestmark = pytest.mark.usefixtures("config")


def test_a_frame_with_no_face_says_where_the_last_candidate_died(opened: Open) -> None:
    app = opened(frame=NONE)
    assert "P-Net gave the best place on any of the 8 scales" in words(app)
    assert "it needs 0.60, so R-Net was given nothing" in words(app)
    assert app.button_group(key=f"stage-{NONE}").value == "Draw"
    assert "No face can be made out" in words(app)


def test_the_stage_is_in_the_url(opened: Open) -> None:
    for written in ("Pyramid", "PYRAMID"):
        app = opened(frame=NONE, stage=written)
        assert app.button_group(key=f"stage-{NONE}").value == "Pyramid"
    assert "one of Draw, Faces, P" in opened(frame=NONE, stage="Q-Net").toast[0].value
    levels = app.dataframe[0].value
    assert list(levels["Faces of (px)"])[:2] == [20, 28]
    assert len(levels) == 8


def test_a_chosen_stage_is_kept_in_the_url_and_for_the_next_frame(opened: Open) -> None:
    app = opened(frame=NONE)
    app.button_group(key=f"stage-{NONE}").set_value("R-Net").run()
    assert not app.exception
    assert app.query_params["stage"] == "R-Net"
    app = press(app, "Next failed frame")
    assert app.button_group(key=f"stage-{frame_name(4)}").value == "R-Net"


def test_a_found_frame_looks_only_when_asked(opened: Open) -> None:
    assert "P-Net gave" not in words(opened(frame=FOUND))
    assert "P-Net gave" in words(opened(frame=FOUND, stage="P-Net"))


def test_thresholds_of_the_url_are_those_of_the_detection(opened: Open) -> None:
    app = opened(pnet="0.5", rescue=["rotate", "light"])
    assert "not been looked for" in words(app)
    assert app.slider(key="pnet").value == 0.5
    assert app.multiselect(key="rescue").value == ["rotate", "light"]


def test_the_bench_compares_and_keeps_under_a_name(
    opened: Open, store: Store, launched: list[object]
) -> None:
    app = opened(frame=NONE, try_pnet="0.9", try_margin="16")
    assert "**Now**: none" in words(app)
    assert "**Then**: none" in words(app)
    assert "Why: P-Net gave" in words(app)
    app = press(app, "Keep these settings")
    assert app.slider(key="pnet").value == 0.9
    assert app.slider(key="margin").value == 16
    assert "being looked for" in words(app)
    [run] = store.runs(status=["queued"])
    assert (run.config.faces.name, run.config.faces.margin) == ("thresholds 0.9, 0.7, 0.7 · margin 16", 16)
    assert len(launched) == 1


def test_nothing_moved_on_the_bench_offers_nothing(opened: Open) -> None:
    app = opened(frame=NONE, try_pnet="0.6")
    disabled = {button.label: button.disabled for button in app.button}
    assert disabled["Keep these settings"]
    assert disabled["Reset"]


def test_a_trial_counts_what_would_be_lost(opened: Open) -> None:
    """The stand-in detector found faces in gray frames; MTCNN finds none, so all of them are lost."""
    app = opened(frame=NONE, try_pnet="0.9")
    app = press(app, "Try on all 4 failed")
    assert {m.label: m.value for m in app.metric} == {
        "Won": "0 of 4",
        "Lost": "3 of 3",
        "Another face": "0 of 7",
    }
    assert app.query_params["tried"]


def test_a_press_counts_for_the_slider_that_moved_just_before_it(
    opened: Open, launched: list[object]
) -> None:
    app = opened(frame=NONE, try_pnet="0.9")
    app.slider(key="try_pnet").set_value(0.95)
    app = press(app, "Try on all 4 failed")
    assert {m.label: m.value for m in app.metric}["Lost"] == "3 of 3"

    app.slider(key="try_pnet").set_value(0.85)
    app = press(app, "Keep these settings")
    assert app.slider(key="pnet").value == 0.85


def test_accuracy_with_and_without_a_face_is_that_of_finished_runs(
    opened: Open, config: RunConfig, store: Store
) -> None:
    assert "Train on this data set" in words(opened(frames="Failed detections"))
    run_id, _ = submit(store, config.model_copy(update={"goal": "train"}))
    held = take(store, "here")
    share = {"images": 4, "accuracy": 0.75, "interval": [0.3006, 0.9544]}
    none = {"images": 0, "accuracy": float("nan"), "interval": [0.0, 1.0]}
    shares = {"found": share, "not_found": none, "by_status": {"doubtful": share, "found": share}}
    summary = {"val_accuracy": 0.75, "missing_faces": 3, **shares}
    held_run.finish(store, held, RunResult(summary, pd.DataFrame(), {}), 1.0)
    table = next(
        element.value for element in opened(frames="Failed detections").dataframe if "gain" in element.value
    )
    over = "over images, taken as independent (figures of an older version)"
    assert table.to_dict("records") == [
        {
            "link": run_link(store.run(run_id)),
            "title": title(store.run(run_id)),
            "protocol": "stratified",
            "leaks": True,
            "found": f"75.0 % (30.1 – 95.4 %, {over}), 4 frames",
            "doubtful": f"75.0 % (30.1 – 95.4 %, {over}), 4 frames",
            "gain": "12.5 points",
        }
    ]


def test_what_a_link_has_computed_counts_as_its_visitors(
    page: Open, frames: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FER_LIMITS", "images_per_minute=1")
    limits.guard.cache_clear()
    query = {"data": str(frames), "frame": NONE}
    app = page("pages/faces.py", home, **query)
    assert "it needs 0.60, so R-Net was given nothing" in words(app)
    assert not app.error
    app.query_params["try_pnet"] = "0.5"
    app.run()
    limits.guard.cache_clear()
    assert "At most 1 images a minute" in app.error[0].value
