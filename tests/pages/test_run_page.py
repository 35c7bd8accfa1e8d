"""A run's page: headed by its name, what may be said of it, the frames behind its figures, again with changes."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs

import pandas as pd
import pytest
from page_case import labels, press, words
from streamlit.testing.v1 import AppTest

from fer_core.config.comparators import (
    BdnnConfig,
    LpqConfig,
    LpqPhogConfig,
    MlpConfig,
    PhogConfig,
    PixelsConfig,
    SvmConfig,
)
from fer_core.config.run import FacesConfig, TrainingConfig, TransferConfig
from fer_core.results.trust import held_out
from fer_core.runs.jobs.queue import cancel, submit_together
from fer_core.runs.plans.detections import detection_key
from fer_core.storage.store import Store, StoredRun
from fer_core.ui.train.about import again


@pytest.fixture
def kept(trained: Path, tmp_path: Path) -> Path:
    """Return a copy of a home with two finished runs, which a test may change."""
    return Path(shutil.copytree(trained, tmp_path / "kept"))


def runs_of(home: Path) -> list[StoredRun]:
    store = Store(home / "fer.sqlite")
    found = store.runs(status=["done"], goal="train")
    store.close()
    return found


def test_a_run_is_headed_by_what_it_is_and_then_by_what_people_call_it(
    page: Callable[..., AppTest], kept: Path
) -> None:
    run = runs_of(kept)[0]
    shown = page("pages/train.py", kept, run=run.id)
    assert shown.title[0].value.startswith("EfficientNet")
    assert f"n={run.unfreeze}" in shown.title[0].value
    shown.text_input[0].set_value("Night scenes")
    shown.text_input[1].set_value("paper, night")
    shown.text_area[0].set_value("Watch *this*")
    shown.toggle[0].set_value(True)
    shown = press(shown, "Save")
    assert shown.title[0].value == "Night scenes"
    assert "Watch \\*this\\*" in words(shown)
    compared = page("pages/compare.py", kept)
    assert "Night scenes" in set(compared.dataframe[0].value["title"])
    listed = page("pages/train.py", kept, backbone="efficientnet_lite0")
    assert len(listed.dataframe[-1].value) == 1, "archived"
    assert listed.toggle[0].label == "Archived ones too"
    everything = listed.toggle[0].set_value(True).run().dataframe[-1].value
    assert "Night scenes" in set(everything["title"])


def test_what_a_run_s_page_has_folded_is_made_once_it_is_opened(
    page: Callable[..., AppTest], trained: Path
) -> None:
    run = runs_of(trained)[0]
    shown = page("pages/train.py", trained, run=run.id)
    assert "On the dashed line" not in words(shown, "caption")
    assert not shown.code
    shown.session_state[f"calibration-{run.id}"] = True
    shown.session_state[f"log-{run.id}"] = True
    shown.run()
    assert "On the dashed line" in words(shown, "caption")
    assert f"{run.summary['images']} images, 2 folds" in shown.code[0].value
    assert run.config.model.backbone in shown.json[0].value
    assert not shown.exception


def test_what_differs_from_another_run_is_a_table(page: Callable[..., AppTest], trained: Path) -> None:
    run, other = runs_of(trained)
    shown = page("pages/train.py", trained, run=run.id)
    shown = shown.selectbox(key=f"differs-{run.id}").set_value(other.id).run()
    [table] = [one.value for one in shown.dataframe if "This run" in one.value.columns]
    assert table.to_numpy().tolist() == [["n", str(run.unfreeze), str(other.unfreeze)]]


def test_a_run_and_its_sweep_lead_to_each_other(page: Callable[..., AppTest], kept: Path) -> None:
    runs, store = runs_of(kept), Store(kept / "fer.sqlite")
    submit_together(store, [run.config for run in runs], sweep="both")
    store.close()
    shown = page("pages/train.py", kept, run=runs[0].id)
    assert "Sweep of 2 runs" in labels(shown)
    shown = page("pages/train.py", kept, sweep="both")
    assert shown.title[0].value == "2 runs asked for together"
    assert all(run.id in "".join(shown.dataframe[0].value["link"]) for run in runs)


@pytest.mark.parametrize(
    "update",
    [
        {"training": TrainingConfig(epochs=3, lr=0.01)},
        {"training": TrainingConfig(mixup=0.3, calibrate=True)},
        {
            "model": TransferConfig(backbone="efficientnet_lite0", unfreeze=3, weights="none"),
            "faces": FacesConfig(extract=False),
        },
        {"model": SvmConfig(inputs=LpqPhogConfig(lpq=LpqConfig(window=5), phog=PhogConfig(bins=16)))},
        {
            "model": BdnnConfig(
                inputs=PixelsConfig(side=20), epochs=30, hidden=(20, 10, 5), alternate=2, standardise=False
            )
        },
        {"model": MlpConfig(inputs=LpqConfig(blocks=3), lr=0.01), "faces": FacesConfig(extract=False)},
        {"faces": FacesConfig(choice="best", rescue=("stretch",), margin=20, name="Wide", no_face="drop")},
    ],
)
def test_the_form_filled_from_a_run_asks_for_that_very_run(
    page: Callable[..., AppTest], kept: Path, launched: None, update: dict[str, object]
) -> None:
    run, store = runs_of(kept)[0], Store(kept / "fer.sqlite")
    config = run.config.model_copy(update=update)
    faces = config.model_copy(update={"goal": "faces"})
    asked = replace(run, config_json=config.model_dump_json())
    if config.faces.extract:
        cancel(store, next(iter(submit_together(store, [faces]))))  # a detection that Train offers
    query = {key: values[0] for key, values in parse_qs(again(asked).partition("?")[2]).items()}
    shown = page("pages/train.py", kept, **query)
    assert not [*shown.error, *shown.toast]
    assert not press(shown, "Train 1 run").error
    [queued] = store.runs(status=["queued"])
    store.close()
    assert queued.id == config.key()


def test_frames_are_filtered_as_the_link_says(page: Callable[..., AppTest], trained: Path) -> None:
    run = runs_of(trained)[0]
    store = Store(trained / "fer.sqlite")
    answers = held_out(store.predictions(run.id))
    store.close()
    wrong = answers[~answers["right"]]
    for query, rows in (
        ({}, answers),
        ({"answer": "wrong"}, wrong),
        ({"true": "happy"}, answers[answers["true"] == "happy"]),
        ({"predicted": "sad", "answer": "wrong"}, wrong[wrong["said"] == "sad"]),
        ({"movie": answers["group"][0]}, answers[answers["group"] == answers["group"][0]]),
        ({"face": "none"}, answers[answers["status"] == "none"]),
        ({"certain": ["0.0", "0.3"]}, answers[answers["confidence"] <= 0.3]),
    ):
        shown = page("pages/train.py", trained, run=run.id, part="Frames", **query)
        said = f"**{len(rows)}** answers, **{(~rows['right']).sum()}** of them wrong"
        assert said in words(shown, "caption"), query
        assert not shown.toast


def test_the_gallery_of_faces_shows_what_a_run_said(page: Callable[..., AppTest], trained: Path) -> None:
    run = runs_of(trained)[0]
    store = Store(trained / "fer.sqlite")
    answers = held_out(store.predictions(run.id))
    store.close()
    wrong = answers[~answers["right"]]
    said = wrong["said"].iloc[0]
    for query, rows in (
        ({}, answers),
        ({"answered": "wrong"}, wrong),
        ({"answered": "wrong", "said": said}, wrong[wrong["said"] == said]),
        (
            {"class": "happy", "sure": ["0.0", "0.3"]},
            answers.query("true == 'happy' and confidence <= 0.3"),
        ),
    ):
        shown = page(
            "pages/faces.py", trained, run=run.id[:8], faces=detection_key(run.config.faces), **query
        )
        assert not shown.toast
        if rows.empty:
            assert "No frame passes" in shown.info[-1].value
        else:
            assert f"of {rows['name'].nunique()} frames" in words(shown), query
    shown = page("pages/faces.py", trained, run="elsewhere")
    assert "run" not in shown.query_params
    assert ["elsewhere" in toast.value for toast in shown.toast] == [True]


def test_a_cancelled_run_can_be_tried_again_in_the_list(page: Callable[..., AppTest], kept: Path) -> None:
    store, run = Store(kept / "fer.sqlite"), runs_of(kept)[0]
    config = run.config.model_copy(update={"training": TrainingConfig(epochs=7)})
    run_id = next(iter(submit_together(store, [config])))
    cancel(store, run_id)
    store.close()
    table = page("pages/train.py", kept, backbone="efficientnet_lite0").dataframe[-1].value
    offered = dict(zip(table["status"], table["again"], strict=True))
    assert offered["cancelled"].endswith("Try again")
    assert pd.isna(offered["done"])
    shown = page("pages/train.py", kept, run=run_id)
    assert "Try again" in labels(shown)


def test_the_plan_says_how_long_it_will_take(page: Callable[..., AppTest], trained: Path) -> None:
    query = {"backbone": "efficientnet_lite0", "folds": "2", "epochs": "4"}
    assert "as runs like these took here" in words(page("pages/train.py", trained, unfreeze="1", **query))
    assert "as runs like these took here" not in words(page("pages/train.py", trained, unfreeze="3", **query))
