"""A fresh home's first page: the generated set is asked for, and the page says how far it is."""

from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from fer_core.runs.jobs.queue import cancel
from fer_core.runs.plans.preparation import PREPARATION
from fer_core.storage.store import Store

Open = Callable[..., AppTest]


def body(shown: AppTest) -> str:
    """Return what is written on a page."""
    return "\n".join(str(element.value) for element in (*shown.markdown, *shown.caption))


def test_the_first_page_asks_for_the_generated_set_once_and_offers_to_try_again(
    page: Open, home: Path, store: Store, launched: list[object]
) -> None:
    shown = page("app.py", home, data="demo")
    assert not shown.exception
    assert "The generated faces are being made" in body(shown)
    assert "The first five minutes" in body(shown)
    [run] = store.runs()
    assert (run.config, run.status, len(launched)) == (PREPARATION, "queued", 1)
    assert not page("pages/faces.py", home, data="demo").exception
    assert len(store.runs()) == 1
    cancel(store, run.id)
    shown = page("app.py", home, data="demo")
    shown.button[-1].click().run()
    assert store.run(run.id).status == "queued"


def test_where_nothing_can_be_started_the_page_only_says_what_is_missing(
    page: Open, home: Path, store: Store, launched: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FER_DEMO", "1")
    shown = page("pages/faces.py", home, data="demo")
    assert "must have been prepared" in shown.error[0].value
    assert not store.runs()
    assert not launched
