"""Every page, empty and with finished runs: no error, the figures that the store holds, a way on."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from humanize import naturalsize
from streamlit.testing.v1 import AppTest
from trees import plant

from fer_core.config.reading import Reading
from fer_core.config.run import RunConfig
from fer_core.datasets.fingerprint import data_config
from fer_core.datasets.open import open_dataset
from fer_core.results.shares import percent
from fer_core.runs.jobs.queue import submit
from fer_core.storage.store import Store

PAGES = ("app.py", "pages/faces.py", "pages/train.py", "pages/compare.py", "pages/predict.py")
Open = Callable[..., AppTest]


def text(page: AppTest) -> str:
    """Return what a page says in words, markdown and captions alike."""
    kinds = (page.markdown, page.caption, page.info, page.warning, page.error, page.success)
    return "\n".join(str(element.value) for kind in kinds for element in kind)


@pytest.mark.parametrize("name", PAGES)
def test_an_empty_home_gives_a_page_that_says_what_to_do(name: str, page: Open, tmp_path: Path) -> None:
    shown = page(name, tmp_path / "home")
    assert not shown.exception
    assert shown.title


@pytest.mark.parametrize("name", PAGES)
def test_pages_show_finished_runs_without_error(name: str, page: Open, trained: Path) -> None:
    shown = page(name, trained, backbone="efficientnet_lite0")
    assert not shown.exception
    assert not shown.error
    assert "Generated faces: drawn by FER Lab" in text(shown).replace("*", "") or "drawn faces" in text(shown)


def test_the_data_set_is_the_one_in_the_url(page: Open, trained: Path) -> None:
    shown = page("app.py", trained)
    assert {metric.label: metric.value for metric in shown.metric}["Images"] == "48"


def test_a_data_set_is_read_as_its_latest_run_declared_and_shown_so(page: Open, tmp_path: Path) -> None:
    folder, home = plant(tmp_path / "set", ["1/a.png", "4/b.png"]), tmp_path / "home"
    assert "need a label map" in page("app.py", home, data=str(folder)).error[0].value
    dataset = open_dataset(folder, reading=Reading(label_map="rafdb"))
    submit(Store(home / "fer.sqlite"), RunConfig(data=data_config(dataset)))
    shown = page("app.py", home, data=str(folder))
    assert not shown.exception
    (labels,) = [one.value for one in shown.dataframe if "As written" in one.value.columns]
    assert labels.to_numpy().tolist() == [["4", "happy", 1, "4/b.png"], ["1", "surprise", 1, "1/a.png"]]


def test_the_overview_says_what_artifacts_take(
    page: Open, trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FER_DISK_LIMIT", "3GB")
    kept = trained / "artifacts"
    size = {
        kind: naturalsize(sum(path.stat().st_size for path in (kept / kind).rglob("*") if path.is_file()))
        for kind in ("runs", "crops", "activations")
    }
    said = text(page("app.py", trained)).lower()
    for words in (f"networks {size['runs']}", f"crops {size['crops']}", f"activations {size['activations']}"):
        assert words.lower() in said
    assert "of 3.0 gb that they may take" in said
    monkeypatch.setenv("FER_DEMO", "1")
    assert "artifacts take" not in text(page("app.py", trained)).lower()


def test_a_data_set_that_is_not_there_is_an_error_with_the_fix(page: Open, trained: Path) -> None:
    shown = page("app.py", trained, data="/no/such/folder")
    assert not shown.exception
    assert "/no/such/folder" in shown.error[0].value


def test_a_run_is_at_its_url(page: Open, trained: Path) -> None:
    run = Store(trained / "fer.sqlite").runs(status=["done"], goal="train")[0]
    shown = page("pages/train.py", trained, run=run.id)
    accuracy = next(metric for metric in shown.metric if metric.label == "Validation accuracy")
    assert accuracy.value == percent(run.summary["val_accuracy"])
    assert run.id in text(shown)


def test_an_error_draws_nothing_that_a_link_brings_along(page: Open, trained: Path) -> None:
    shown = page("pages/train.py", trained, run="![](https://elsewhere.test/a.png)<b>")
    assert "elsewhere.test" in shown.error[0].value
    assert "list of runs" in shown.error[0].value
    assert "![](" not in shown.error[0].value
    assert "<b>" not in shown.error[0].value


def test_the_form_says_where_weights_are_before_anything_is_queued(
    page: Open, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr("fer_core.ui.cache.resources.can_download", lambda _: False)
    shown = page("pages/train.py", trained, backbone="resnet18")
    assert "resnet18-f37072fd.pth" in shown.error[0].value
    assert "FER_WEIGHTS_DIR" in shown.error[0].value
    button = next(button for button in shown.button if button.label.startswith("Train"))
    assert button.disabled


def test_a_hosted_demo_launches_nothing(page: Open, trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FER_DEMO", "1")
    for name in PAGES:
        shown = page(name, trained)
        assert not shown.exception
        assert not [button for button in shown.button if button.label.startswith(("Train ", "Detect"))]


def test_a_hosted_demo_opens_no_other_folder(
    page: Open, trained: Path, monkeypatch: pytest.MonkeyPatch, awkward: Path
) -> None:
    monkeypatch.setenv("FER_DEMO", "1")
    shown = page("app.py", trained, data=str(awkward))
    assert "only the data sets it lists" in shown.error[0].value
    assert not shown.metric


def test_the_recipe_is_in_the_url_and_its_trade_is_said(page: Open, trained: Path) -> None:
    shown = page("pages/train.py", trained, backbone="efficientnet_lite0", recipe="augmented")
    assert not shown.exception
    assert not shown.error
    words = text(shown)
    assert "Eight views of each face" in words
    assert re.search(
        r"8 fixed views of each image.*: [\d.]+ [kM]B of activations kept, [\d,]+ images through", words
    )
    assert "Images changed again each epoch instead: " in words


def test_an_own_recipe_decides_the_run(page: Open, trained: Path) -> None:
    chosen = {
        "recipe": "own",
        "schedule": "cosine",
        "label_smoothing": "0.1",
        "selection": "best_on_validation",
    }
    shown = page("pages/train.py", trained, backbone="efficientnet_lite0", **chosen)
    assert not shown.exception
    assert "Optimistic" in text(shown)
    assert shown.dataframe[0].value["State"].eq("new").all()


def test_choices_that_do_not_go_together_are_an_error_with_the_fix(page: Open, trained: Path) -> None:
    shown = page("pages/train.py", trained, recipe="own", class_weights="true")
    assert not shown.exception
    assert "need no weights" in shown.error[0].value
