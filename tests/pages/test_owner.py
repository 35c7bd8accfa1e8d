"""What a demo's owner sees of its visitors, and the switch that pauses it."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from page_case import labels, press, words
from streamlit.testing.v1 import AppTest

from fer_core.errors import BusyError
from fer_core.prediction import limits
from fer_core.storage.database.visits import Visits

Open = Callable[..., AppTest]


def test_the_owner_sees_counts_and_can_pause_the_demo(
    page: Open, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = shutil.copytree(trained, tmp_path / "home", ignore=shutil.ignore_patterns("visits*"))
    assert not page("app.py", home).toggle  # no demo has run here
    monkeypatch.setenv("FER_DEMO", "1")
    shown = page("pages/predict.py", home)
    press(shown, "Try face 1")
    with pytest.raises(BusyError, match="at once"):
        limits.admit("someone", 10_000)
    [hour] = Visits(home).by_hour().tail(1).to_dict("records")
    assert (hour["visits"], hour["predictions"], hour["refused"]) == (1, 1, 1)
    assert hour["turns"] >= 1
    assert "visitors" not in words(shown, "header").lower()

    monkeypatch.delenv("FER_DEMO")
    owner = page("app.py", home)
    assert any("waited" in table.value for table in owner.dataframe)
    owner.toggle[0].set_value(True).run()
    assert Visits(home).paused.exists()
    limits.admit("someone", 1)  # the owner's own dashboard goes on

    monkeypatch.setenv("FER_DEMO", "1")
    paused = page("pages/predict.py", home)
    assert "paused by its owner" in words(paused, "info")
    assert not [one for one in labels(paused) if one.startswith("Try")]
    with pytest.raises(BusyError, match="paused"):
        limits.admit("someone", 1)

    monkeypatch.delenv("FER_DEMO")
    page("app.py", home).toggle[0].set_value(False).run()
    assert not Visits(home).paused.exists()
    monkeypatch.setenv("FER_DEMO", "1")
    assert "Try face 1" in labels(page("pages/predict.py", home))
    limits.admit("someone", 1)
