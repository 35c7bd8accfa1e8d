"""Small pieces of pages: figures in words, names that can't become markup."""

from __future__ import annotations

import html
import re
import time
from types import SimpleNamespace

import pytest

from fer_core.results.shares import interval, percent
from fer_core.results.trust import detector_leak
from fer_core.ui.parts import widgets
from fer_core.ui.parts.widgets import escaped


def test_shares_and_intervals_are_percentages_and_a_dash_where_unknown() -> None:
    assert percent(0.4567) == "45.7 %"
    assert percent(None) == percent(float("nan")) == "–"
    assert interval((0.1, 0.25)) == "10.0 – 25.0 %"
    assert interval((float("nan"), float("nan"))) == "–"
    assert interval(None) == interval([None, None]) == "–"  # type: ignore[list-item]


def test_a_steps_pace_is_said_once_it_moved(monkeypatch: pytest.MonkeyPatch) -> None:
    state: dict[str, object] = {}
    monkeypatch.setattr(widgets.st, "session_state", state)
    run = SimpleNamespace(id="r", step="detecting faces", step_done=10, step_total=1000)
    monkeypatch.setattr(time, "time", lambda: 100.0)
    assert widgets._pace(run) == ""  # type: ignore[arg-type]
    run.step_done = 30
    monkeypatch.setattr(time, "time", lambda: 110.0)
    assert widgets._pace(run) == " · 2.0 a second · 8 min left"  # type: ignore[arg-type]


def test_ages_are_in_words() -> None:
    now = time.time()
    assert widgets.age(now) == "now"
    assert widgets.age(now - 7300) == "2 hours ago"
    assert widgets.age(now - 90000) == "a day ago"


def test_a_runs_link_keeps_its_data_set() -> None:
    demo = SimpleNamespace(id="abc", data_source="demo")
    named = SimpleNamespace(id="abc", data_source="/data/my set")
    assert widgets.run_link(demo) == "./train?run=abc"  # type: ignore[arg-type]
    assert widgets.faces_link(demo, frame="happy/a b&c.png") == "./faces?frame=happy%2Fa+b%26c.png"  # type: ignore[arg-type]
    assert widgets.faces_link(named, frame="a.png") == "./faces?frame=a.png&data=%2Fdata%2Fmy+set"  # type: ignore[arg-type]
    assert widgets.run_link(named) == "./train?run=abc&data=%2Fdata%2Fmy+set"  # type: ignore[arg-type]


def test_a_detector_that_knows_the_movies_is_named() -> None:
    summary = {"leakage": {"detector": 0.25}, "detector_data": "films"}
    assert detector_leak(summary) == "25.0 %"
    unknown = summary | {"leakage": {"detector": None}}
    assert detector_leak(unknown) == "not known: it was trained on films"


@pytest.mark.parametrize(
    "text", ["a format that can't be read", 'the "first" #1', "<b>*x*</b> & $y$", "[a](b) `c` a_b: 1|2~3!"]
)
def test_what_is_shown_is_what_was_given(text: str) -> None:
    shown = escaped(text)
    assert html.unescape(re.sub(r"\\(.)", r"\1", shown)) == text
    assert not re.search(r"&\\", shown), "a broken entity would be seen"
    assert "<" not in shown
