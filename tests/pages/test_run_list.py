"""The list of runs on the Train page: a page at a time, older ones behind a link."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest


def test_older_runs_are_behind_a_link(
    page: Callable[..., AppTest], trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fer_core.ui.run_list.PAGE", 1)
    first = page("pages/train.py", trained)
    (newest,) = first.dataframe[-1].value["link"]
    links = [link.proto for link in first.get("page_link")]
    (older,) = [link for link in links if link.label == "Older runs"]
    run_id = newest.partition("run=")[2].partition("&")[0]
    assert f"before={run_id}" in older.query_string
    second = page("pages/train.py", trained, before=run_id)
    (next_one,) = second.dataframe[-1].value["link"]
    assert next_one != newest
    last = page("pages/train.py", trained, before=next_one.partition("run=")[2].partition("&")[0])
    assert any("no older runs" in info.value for info in last.info)
    assert "Newest runs" in [link.proto.label for link in last.get("page_link")]
