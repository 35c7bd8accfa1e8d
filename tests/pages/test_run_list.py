"""The list of runs on the Train page: a page at a time, each at its own link."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest


def shown_run(page: AppTest) -> str:
    (link,) = page.dataframe[-1].value["link"]
    return link.partition("run=")[2].partition("&")[0]


def press(page: AppTest, label: str) -> AppTest:
    return next(button for button in page.button if button.label == label).click().run()


def test_older_runs_are_a_page_further_at_their_own_link(
    page: Callable[..., AppTest], trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fer_core.ui.train.run_list.PAGE", 1)
    first = page("pages/train.py", trained, backbone="efficientnet_lite0")
    assert "Newest runs" not in [button.label for button in first.button]
    newest = shown_run(first)
    second = press(first, "Older runs")
    assert second.query_params["before"] == newest
    older = shown_run(second)
    assert older != newest
    linked = page("pages/train.py", trained, backbone="efficientnet_lite0", before=newest)
    assert shown_run(linked) == older
    last = press(linked, "Older runs")
    assert any("no older runs" in info.value for info in last.info)
    back = press(last, "Newest runs")
    assert "before" not in back.query_params
    assert shown_run(back) == newest


def test_an_unknown_run_to_go_on_after_is_an_error(page: Callable[..., AppTest], trained: Path) -> None:
    shown = page("pages/train.py", trained, backbone="efficientnet_lite0", before="none")
    assert "No run has this id" in shown.error[0].value
