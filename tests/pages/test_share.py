"""A finished run's view offers it to take along."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from streamlit.testing.v1 import AppTest

from fer_core.store import Store

Open = Callable[..., AppTest]


def test_a_finished_run_offers_its_report(page: Open, shared_home: Path) -> None:
    run = Store(shared_home / "fer.sqlite").runs(status=["done"])[0]
    shown = page("pages/train.py", shared_home, run=run.id)
    assert not shown.exception
    assert "Report" in [button.label for button in shown.get("download_button")]
