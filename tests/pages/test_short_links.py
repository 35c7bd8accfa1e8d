"""A demo's short address: what *Share this page* gives, and that it opens the same run."""

from collections.abc import Callable
from pathlib import Path

import pytest
from page_case import press
from streamlit.testing.v1 import AppTest

from fer_core.storage.store import Store


def test_a_short_address_names_the_run_and_opens_it(
    page: Callable[..., AppTest], trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FER_DEMO", "1")
    run = Store(trained / "fer.sqlite").runs(goal="train", status=["done"])[-1].id
    shown = press(page("pages/made.py", trained, run=run), "Share this page")
    [address] = [one.value for one in shown.code if one.value.endswith(f"run={run[:8]}")]
    assert run not in address
    assert page("pages/made.py", trained, run=run[:8]).query_params["run"] == run
    assert not page("pages/made.py", trained, run="0123abcd").exception


def place(ahead: int) -> None:
    from fer_core.ui.shell.setup import line

    show = line("the device")
    show(9)
    show(ahead)


def test_who_waits_reads_their_place_and_who_is_served_reads_nothing_of_it() -> None:
    [waiting] = AppTest.from_function(place, args=(2,)).run().caption
    assert "number 3 in line for the device" in waiting.value
    assert not AppTest.from_function(place, args=(0,)).run().caption
