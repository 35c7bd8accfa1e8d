"""The Predict page: whose answer stands where, and which images a run has been trained on."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from fer_core.prediction import limits
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

    monkeypatch.setattr(limits, "device_turn", noted)
    shown = page("pages/predict.py", trained, **{"from": "sample"})
    assert not shown.exception
    assert "Nearest training faces" in captions(shown)
    assert len(turns) == 1


def test_what_a_link_cannot_mean_is_reported_where_the_page_ends_early(page: Open, trained: Path) -> None:
    shown = page("pages/predict.py", trained, unsure="2", fold="9.9")
    assert not shown.exception
    said = "\n".join(toast.value for toast in shown.toast)
    assert "“2” is not a number from 0 to 1." in said
    assert "9.9” is not one of" in said
