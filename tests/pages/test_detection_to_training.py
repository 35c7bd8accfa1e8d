"""A detection on its way from Faces to training: chosen, named, and put to old runs, without a browser."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from faces_case import frame_name, shown_publicly
from page_case import labels, press, words
from streamlit.testing.v1 import AppTest
from worker_case import take

from fer_core.config.run import RunConfig, TransferConfig
from fer_core.learning.reporting import RunResult
from fer_core.runs.jobs import held_run
from fer_core.runs.jobs.queue import submit
from fer_core.runs.plans.detections import detection_key
from fer_core.storage.store import Store

Open = Callable[..., AppTest]


def with_margin(config: RunConfig, margin: int, name: str = "") -> RunConfig:
    return config.model_copy(
        update={"faces": config.faces.model_copy(update={"margin": margin, "name": name})}
    )


def detection(app: AppTest) -> str:
    return str(app.selectbox(key="faces-of-runs").value)


def test_training_begins_with_the_detection_asked_for_last_and_trains_on_the_one_chosen(
    page: Open, trained: Path, tmp_path: Path, launched: list[object]
) -> None:
    home = shutil.copytree(trained, tmp_path / "trained")
    store = Store(home / "fer.sqlite")
    before = store.runs(goal="train")[0].config
    wide = with_margin(before.model_copy(update={"goal": "faces"}), 16, "wide")
    submit(store, wide)
    query = {"backbone": "efficientnet_lite0", "folds": "2", "unfreeze": "1"}
    app = page("pages/train.py", home, **query)
    assert detection(app) == detection_key(wide.faces)
    assert [option for option in app.selectbox(key="faces-of-runs").options if option.startswith("wide (")]
    app = app.selectbox(key="faces-of-runs").set_value(detection_key(before.faces)).run()
    assert app.query_params["faces"] == detection_key(before.faces)
    press(app, "Train 1 run")
    [run] = store.runs(goal="train", status=["queued"])
    assert run.config.faces == before.faces


def test_a_link_names_a_detection_by_its_key_on_both_pages(
    page: Open, frames: Path, home: Path, config: RunConfig, store: Store
) -> None:
    wide = with_margin(config, 16, "wide")
    submit(store, wide)
    submit(store, with_margin(config, 24))
    key = detection_key(wide.faces)
    assert detection(page("pages/train.py", home, data=str(frames), faces=key)) == key
    app = page("pages/faces.py", home, data=str(frames), faces=key)
    assert app.slider(key="margin").value == 16
    assert app.query_params["detection"] == "wide"
    app = page("pages/train.py", home, data=str(frames), faces="f" * 16)
    assert ["is not one of" in toast.value for toast in app.toast] == [True]


def test_what_was_looked_at_on_faces_is_where_training_begins_and_where_one_returns(opened: Open) -> None:
    app = opened(no_face="resize")
    app = app.switch_page("pages/train.py").run()
    assert app.selectbox(key="no_face").value == "resize"
    app.query_params.pop("no_face", None)
    app = app.switch_page("pages/faces.py").run()
    assert app.selectbox(key="no_face").value == "resize"
    assert not app.error


def test_runs_that_rest_on_other_faces_are_all_retrained(
    opened: Open, config: RunConfig, store: Store, launched: list[object]
) -> None:
    for unfreeze in (1, 2):
        model = TransferConfig(unfreeze=unfreeze)
        submit(store, config.model_copy(update={"goal": "train", "model": model}))
        held_run.finish(store, take(store), RunResult({"val_accuracy": 0.5}, pd.DataFrame(), {}), 40.0)
    assert "on other faces" not in words(opened())
    store.add_manual_box(config.data.fingerprint, frame_name(0), (10.0, 20.0, 90.0, 120.0))
    app = opened()
    assert "**2 runs rest** on other faces" in words(app)
    assert [label for label in labels(app) if label.startswith("Retrain")] == [
        "Retrain ResNet-18 n=2",
        "Retrain all 2",
    ]
    app = press(app, "Retrain all 2")
    queued = store.runs(status=["queued"])
    assert {run.config.transfer.unfreeze for run in queued} == {1, 2}
    [boxes] = {run.config.faces.manual_boxes for run in queued}
    assert boxes
    assert len(launched) == 1
    app = opened()
    assert "on other faces" not in words(app)
    assert "ResNet-18 n=2 before and after" in labels(app)


def test_who_may_not_change_anything_is_offered_no_retraining(
    monkeypatch: pytest.MonkeyPatch, opened: Open, config: RunConfig, store: Store
) -> None:
    submit(store, shown_publicly(config.model_copy(update={"goal": "train"})))
    held_run.finish(store, take(store), RunResult({"val_accuracy": 0.5}, pd.DataFrame(), {}), 40.0)
    store.add_manual_box(config.data.fingerprint, frame_name(0), (10.0, 20.0, 90.0, 120.0))
    assert "on other faces" in words(opened())
    monkeypatch.setenv("FER_DEMO", "1")
    assert "on other faces" not in words(opened())
