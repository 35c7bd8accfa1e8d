"""A finished run's view offers it to take along; the Train page takes in what others exported."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from fer_core.results.sharing.runs import export_run
from fer_core.storage.artifacts import Artifacts
from fer_core.storage.store import Store

Open = Callable[..., AppTest]


def test_a_finished_run_offers_its_report(page: Open, shared_home: Path) -> None:
    run = Store(shared_home / "fer.sqlite").runs(status=["done"])[0]
    shown = page("pages/train.py", shared_home, run=run.id)
    assert not shown.exception
    labels = [button.label for button in shown.get("download_button")]
    assert {"Report", "Export"} <= set(labels)


def test_an_exported_run_is_taken_in_and_says_where_it_comes_from(
    page: Open, shared_home: Path, tmp_path: Path
) -> None:
    store = Store(shared_home / "fer.sqlite")
    run = store.runs(status=["done"])[0]
    packed = io.BytesIO()
    export_run(store, Artifacts(shared_home / "artifacts"), run.id, packed, origin="<b>desk</b>")
    home = tmp_path / "home"
    shown = page("pages/train.py", home, backbone="efficientnet_lite0")
    uploader = next(one for one in shown.file_uploader if one.key == "import-file")
    shown = uploader.set_value(("run.zip", packed.getvalue(), "application/zip")).run()
    shown = shown.button(key="import-run").click().run()
    assert not shown.exception
    assert not shown.error
    assert run.id[:8] in shown.success[-1].value
    assert Store(home / "fer.sqlite").run(run.id).summary == run.summary
    view = page("pages/train.py", home, run=run.id)
    assert not view.exception
    mark = next(caption.value for caption in view.caption if "Imported" in caption.value)
    assert "desk" in mark
    assert "<b>" not in mark


def test_what_is_no_export_is_refused_in_words(page: Open, tmp_path: Path) -> None:
    shown = page("pages/train.py", tmp_path / "home", backbone="efficientnet_lite0")
    uploader = next(one for one in shown.file_uploader if one.key == "import-file")
    shown = uploader.set_value(("run.zip", b"PK", "application/zip")).run()
    shown = shown.button(key="import-run").click().run()
    assert "must be a zip that FER Lab exported" in shown.error[0].value
    assert not shown.exception


def test_a_hosted_demo_takes_in_nothing_and_says_so(
    page: Open, shared_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FER_DEMO", "1")
    shown = page("pages/train.py", shared_home)
    assert not [one for one in shown.file_uploader if one.key == "import-file"]
    assert any("importing are off" in info.value for info in shown.info)
