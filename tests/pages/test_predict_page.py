"""The Predict page: whose answer stands where, and which images a run has been trained on."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from cli_case import at_home, run
from streamlit.testing.v1 import AppTest

from fer_core.faces.mtcnn.detector import MTCNN
from fer_core.prediction import limits
from fer_core.prediction.predictor import Predictor
from fer_core.prediction.recognition import Recognition
from fer_core.results.shares import percent
from fer_core.storage.store import Store

Open = Callable[..., AppTest]
OWN = "From the run's own data"


def captions(shown: AppTest) -> str:
    return "\n".join(one.value for one in shown.caption)


def test_two_runs_are_named_over_their_answers(page: Open, trained: Path) -> None:
    shown = page("pages/predict.py", trained, **{"from": "sample"})
    assert not shown.exception
    assert captions(shown).count(OWN) == 1
    other = next(box for box in shown.selectbox if box.label == "Compare with")
    shown = other.select_index(1).run()
    assert not shown.exception
    named = [one.value for one in shown.markdown if ", run " in one.value]
    runs = Store(trained / "fer.sqlite").runs(status=["done"], goal="train")
    assert {name.rsplit(" ", 1)[1] for name in named} == {run.id[:8] for run in runs}
    assert captions(shown).count(OWN) == 2


def test_one_image_is_found_judged_and_explained_in_one_turn(
    page: Open, trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns: list[str] = []
    turn = limits.device_turn

    def noted(visitor: str, *rest: Any) -> AbstractContextManager[None]:
        turns.append(visitor)
        return turn(visitor, *rest)

    threads: list[int] = []

    def recorded(compute: Any) -> Any:
        def call(*given: Any, **named: Any) -> Any:
            threads.append(threading.get_ident())
            return compute(*given, **named)

        return call

    monkeypatch.setattr(limits, "device_turn", noted)
    for kind, name in [(MTCNN, "detect"), (Predictor, "classify"), (Predictor, "explain")]:
        monkeypatch.setattr(kind, name, recorded(getattr(kind, name)))
    for name in ("classify", "explain"):
        monkeypatch.setattr(Recognition, name, recorded(getattr(Recognition, name)))
    shown = page("pages/predict.py", trained, **{"from": "sample"})
    assert not shown.exception
    assert "Nearest training faces" in captions(shown)
    assert len(turns) == 2  # training faces alike are looked for once the answer stands there
    shown.session_state["known"] = {}  # as another visitor begins
    assert "Nearest training faces" in captions(shown.run())
    assert len(turns) == 2  # what was computed of a sample is everyone's
    turns.clear()
    shown = page("pages/predict.py", trained, run="mini_xception", **{"from": "sample"})
    assert "zooms and mirror images put the same class first" in captions(shown)
    assert len(turns) == 1
    assert len(threads) == 6  # each looked, judged and gave reasons
    assert len(set(threads)) == 1
    assert threads[0] != threading.get_ident()


def test_what_a_link_cannot_mean_is_reported_where_the_page_ends_early(page: Open, trained: Path) -> None:
    shown = page("pages/predict.py", trained, unsure="2", fold="9.9")
    assert not shown.exception
    said = "\n".join(toast.value for toast in shown.toast)
    assert "“2” is not a number from 0 to 1." in said
    assert "9.9” is not one of" in said


def said(shown: AppTest) -> str:
    assert not shown.exception
    kinds = (shown.markdown, shown.caption, shown.warning, shown.info)
    return "\n".join(str(one.value) for kind in kinds for one in kind)


def test_without_a_run_the_recogniser_answers_and_says_what_it_learned_from(page: Open, home: Path) -> None:
    words = said(page("pages/predict.py", home, **{"from": "sample"}))
    assert "Most likely **" in words or "No class reaches" in words
    for part in ("FER2013", "about two thirds", "not measured here", "8 zooms and mirror images", "5(1)(f)"):
        assert part in words


def test_a_recogniser_that_judged_a_data_set_here_says_what_it_measured(
    page: Open, home: Path, generated: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sample = {"run": "mini_xception", "from": "sample"}
    assert "No run here has measured it" in said(page("pages/predict.py", home, **sample))
    with pytest.MonkeyPatch.context() as patch:
        at_home(patch, home)
        code, told = run(capsys, "recognise", "--data", str(generated))
        assert code == 0
        assert (
            run(capsys, "recognise", "--data", str(generated), "--zooms", "1")[0] == 0
        )  # another than answers
    right = percent(told["val_accuracy"])
    words = said(page("pages/predict.py", home, **sample))
    assert f"Measured here: {right} of the images of " in words
    assert "not measured here" not in words
    made = page("pages/made.py", home, run="mini_xception")
    assert right in [one.value for one in made.metric]
    assert "Nothing was measured" not in said(made)


def test_what_was_trained_on_a_data_set_answers_to_its_samples_and_recognisers_to_other_photos(
    page: Open, trained: Path
) -> None:
    def answered_by(shown: AppTest) -> str:
        return str(next(box.value for box in shown.selectbox if box.label == "Answered by"))

    runs = {run.id for run in Store(trained / "fer.sqlite").runs(status=["done"], goal="train")}
    shown = page("pages/predict.py", trained, **{"from": "sample"})
    assert answered_by(shown) in runs
    assert "answers “" in said(shown) or "unsure answers" in said(shown)
    assert answered_by(page("pages/predict.py", trained)) == "mini_xception"
    asked = min(runs)
    assert answered_by(page("pages/predict.py", trained, run=asked)) == asked


def test_what_stands_behind_an_answer_is_a_page(page: Open, trained: Path) -> None:
    run = Store(trained / "fer.sqlite").runs(status=["done"], goal="train")[0]
    shown = page("pages/made.py", trained, run=run.id)
    words = said(shown)
    assert "Generated faces" in words
    assert percent(run.summary["val_accuracy"]) in [one.value for one in shown.metric]
    tables = "\n".join(one.value.to_string() for one in shown.table)
    for part in ("MTCNN", "learning rate", "none", "shot is in training too"):
        assert part in tables
    assert "FER2013" in said(page("pages/made.py", trained, run="mini_xception"))


def test_a_demo_leads_to_predict_and_offers_no_training(
    page: Open, trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FER_DEMO", "1")
    shown = page("app.py", trained)
    assert not shown.exception
    assert shown.title[0].value == "Predict"
    links = [link.proto.label for link in shown.sidebar.get("page_link")]
    assert links == ["Predict", "How it was made", "Compare", "Faces"]
    assert [button.label for button in shown.button if button.label.startswith("Try ")]
