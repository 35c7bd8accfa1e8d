"""What transfer learning is compared with, started from the Train page."""

from collections.abc import Callable
from pathlib import Path

import pytest
from page_case import press, words
from streamlit.testing.v1 import AppTest

from fer_core.config.comparators import BdnnConfig, LpqConfig, MlpConfig, PhogConfig, SvmConfig, TableConfig
from fer_core.config.run import RunConfig
from fer_core.datasets.generated.table import generate_table
from fer_core.storage.store import Store
from fer_core.ui.train.comparator_form import OTHER

Open = Callable[..., AppTest]


pytestmark = pytest.mark.usefixtures("launched")


def train(app: AppTest, store: Store) -> list[RunConfig]:
    """Press the button and return what stands in the queue."""
    assert not app.error, app.error[0].value
    assert not press(app, "Train ").error
    return [run.config for run in store.runs(status=["queued"])]


def test_one_run_a_model_and_what_it_reads(page: Open, home: Path, store: Store, tmp_path: Path) -> None:
    app = page(
        "pages/train.py",
        home,
        what=OTHER,
        models=["SVM", "BDNN"],
        reads=["PHOG", "LPQ"],
        levels="4",
        window="5",
        iterations="30",
        hidden="20,20,10",
        mean_node="true",
        protocol="group",
        folds="3",
    )
    queued = train(app, store)
    phog, lpq = PhogConfig(levels=4), LpqConfig(window=5, blocks=3)
    dense = {"epochs": 30, "hidden": (20, 20, 10), "mean_node": True}
    assert {config.model for config in queued} == {
        SvmConfig(inputs=phog),
        SvmConfig(inputs=lpq),
        BdnnConfig(inputs=phog, **dense),
        BdnnConfig(inputs=lpq, **dense),
    }
    assert {(config.protocol.name, config.protocol.folds) for config in queued} == {("group", 3)}
    assert all(config.faces.extract for config in queued)


def test_a_sheet_offers_only_what_reads_its_columns(
    page: Open, home: Path, store: Store, tmp_path: Path
) -> None:
    sheet = generate_table(tmp_path / "sheet.xlsx", rows=84)
    app = page("pages/train.py", home, data=str(sheet), models="MLP", columns="LPQ components")
    assert "no network can be transferred" in words(app)
    (config,) = train(app, store)
    assert isinstance(config.model, MlpConfig)
    assert config.model.inputs.columns == "lpq"


def test_a_table_beside_images_is_read_by_its_path(
    page: Open, home: Path, store: Store, tmp_path: Path, generated: Path
) -> None:
    missing = page("pages/train.py", home, what=OTHER, models="SVM", reads="feature table")
    assert "Give the path" in words(missing)
    other = generate_table(tmp_path / "other.csv", rows=84)
    strange = page("pages/train.py", home, what=OTHER, models="SVM", reads="feature table", table=str(other))
    assert "none alike" in strange.error[0].value
    sheet = tmp_path / "sheet.csv"
    figures = ",".join(["0.5"] * 10)
    sheet.write_text("\n".join(f"{path.stem}.mat,1,{figures}" for path in generated.glob("*/*.png")))
    app = page("pages/train.py", home, what=OTHER, models="SVM", reads="feature table", table=str(sheet))
    (config,) = train(app, store)
    assert isinstance(config.model, SvmConfig)
    assert isinstance(config.model.inputs, TableConfig)
    assert config.model.inputs.file == str(sheet)


def test_what_can_t_be_trained_is_said_before_it_is_queued(
    page: Open, home: Path, store: Store, tmp_path: Path
) -> None:
    app = page("pages/train.py", home, what=OTHER, models="BDNN", hidden="20,20")
    assert "hidden" in app.error[0].value
