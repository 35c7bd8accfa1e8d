"""A finished run's view offers it to take along; the Train page takes in what others exported."""

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from fer_core.results.sharing.runs import export_run
from fer_core.storage.artifacts import Artifacts
from fer_core.storage.store import Store

Open = Callable[..., AppTest]


def take_in(app: AppTest, content: bytes) -> AppTest:
    """Bring a file to the Train page and press Import."""
    uploader = next(one for one in app.file_uploader if one.key == "import-file")
    app = uploader.set_value(("run.zip", content, "application/zip")).run()
    app = app.button(key="import-run").click().run()
    assert not app.exception
    return app


def test_a_finished_run_offers_its_report(page: Open, shared_home: Path) -> None:
    run = Store(shared_home / "fer.sqlite").runs(status=["done"])[0]
    shown = page("pages/train.py", shared_home, run=run.id)
    assert not shown.exception
    labels = [button.label for button in shown.get("download_button")]
    assert {"Report", "Predictions", "Splits", "Features"} <= set(labels)
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
    shown = take_in(shown, packed.getvalue())
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
    assert "must be a zip that FER Lab exported" in take_in(shown, b"PK").error[0].value


def test_a_hosted_demo_takes_in_nothing_and_says_so(
    page: Open, shared_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FER_DEMO", "1")
    shown = page("pages/train.py", shared_home)
    assert not [one for one in shown.file_uploader if one.key == "import-file"]
    assert any("importing are off" in info.value for info in shown.info)
