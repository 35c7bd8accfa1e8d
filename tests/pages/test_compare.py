"""The Compare page: every view on a store of small finished runs, through Streamlit's own test runner."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from html import unescape
from pathlib import Path
from urllib.parse import parse_qs

import pytest
from sqlalchemy import text
from streamlit.testing.v1 import AppTest

from fer_core.config.comparators import BdnnConfig, MlpConfig, PhogConfig, PixelsConfig, SvmConfig
from fer_core.config.run import FacesConfig, Model, ProtocolConfig, RunConfig
from fer_core.config.settings import load
from fer_core.datasets.fingerprint import data_config
from fer_core.datasets.generated.frames import GeneratedConfig, generate
from fer_core.datasets.generated.table import generate_table
from fer_core.datasets.open import open_dataset
from fer_core.runs.jobs.queue import cancel, submit
from fer_core.runs.jobs.worker import run_worker
from fer_core.runs.plans.comparison import inputs_of, paper_plan
from fer_core.storage.store import Store

Open = Callable[..., AppTest]
VIEWS = ("All runs", "Learning curves", "Two runs", "Paper", "Leak meter", "Prototypes")
WHOLE = FacesConfig(extract=False, size=32)
SMALL = {"hidden": (8, 6, 5), "epochs": 4}
MODELS: tuple[Model, ...] = (
    BdnnConfig(inputs=PixelsConfig(side=8), **SMALL),
    BdnnConfig(inputs=PhogConfig(), **SMALL),
    MlpConfig(inputs=PixelsConfig(side=8), **SMALL),
    SvmConfig(inputs=PixelsConfig(side=8), costs=(1.0,), gammas=(1.0,), inner_folds=2),
)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a state folder with finished runs on drawn frames and on a generated sheet."""
    folder = tmp_path_factory.mktemp("compare")
    frames = generate(GeneratedConfig(ordinary=42, hard=0), folder / "frames", workers=1)
    sheet = generate_table(folder / "sheet.xlsx", rows=84)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FER_HOME", str(folder / "home"))
        settings = load()
        store = Store(settings.database)
        for source, models in (
            (frames, MODELS),
            (sheet, (BdnnConfig(inputs=inputs_of("table", sheet), **SMALL),)),
        ):
            data = data_config(open_dataset(source))
            for model in models:
                for name in ("stratified", "group"):
                    protocol = ProtocolConfig(name=name, folds=2)  # type: ignore[arg-type]
                    submit(store, RunConfig(data=data, faces=WHOLE, model=model, protocol=protocol))
        run_worker(settings, until_idle=True)
        assert store.counts()["done"] == 2 * len(MODELS) + 2
        store.close()
    return folder


@pytest.fixture
def compare(home: Path, page: Callable[..., AppTest]) -> Open:
    """Return a function that opens the Compare page on the drawn frames, or on another `data`."""

    def open_compare(state: Path = home / "home", **query: str) -> AppTest:
        return page("pages/compare.py", state, **{"data": str(home / "frames")} | query)

    return open_compare


def shown(app: AppTest) -> str:
    return "\n".join(
        str(one.value) for kind in ("markdown", "caption", "info", "warning") for one in app.get(kind)
    )


@pytest.mark.parametrize("view", VIEWS)
def test_every_view_draws_without_an_error(compare: Open, view: str) -> None:
    app = compare(view=view)
    assert not app.exception
    assert not app.error, app.error[0].value


@pytest.mark.parametrize("view", VIEWS)
def test_every_view_copes_with_a_sheet_in_place_of_images(compare: Open, home: Path, view: str) -> None:
    app = compare(data=str(home / "sheet.xlsx"), view=view)
    assert not app.exception
    assert not app.error, app.error[0].value


@pytest.mark.parametrize("view", VIEWS)
def test_every_view_copes_with_nothing_run(compare: Open, home: Path, view: str, tmp_path: Path) -> None:
    app = compare(data=str(generate_table(tmp_path / "other.xlsx", seed=1, rows=84)), view=view)
    assert not app.exception
    assert not app.error, app.error[0].value


def test_filters_come_from_the_url(compare: Open) -> None:
    app = compare(protocol="group", system="pixels + SVM")
    table = app.dataframe[0].value
    assert table["title"].tolist() == ["pixels + SVM, whole frames"]
    assert table["protocol"].tolist() == ["group"]
    assert not table["leaks"].any()


def test_many_runs_are_drawn_page_by_page(compare: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "Drawn below" not in shown(compare())
    monkeypatch.setattr("fer_core.ui.compare.view.PER_PAGE", 3)
    app = compare(page="3")
    assert not app.error, app.error[0].value
    assert "Drawn below: 7 to 8 of 8 runs" in shown(app)
    assert len(app.dataframe[0].value) == 8


def test_only_so_many_runs_are_read_and_the_page_says_so(
    compare: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fer_core.ui.cache.resources.MOST_RUNS", 5)
    app = compare()
    assert "the newest 5 are compared" in shown(app)
    assert len(app.dataframe[0].value) == 5


def test_two_runs_are_compared_on_the_same_images(compare: Open, home: Path) -> None:
    app = compare(view="Two runs", protocol="group")
    assert {"Second minus first", "McNemar's p"} <= {metric.label for metric in app.metric}
    assert "on these 42 images" in shown(app) + "".join(one.value for one in app.success)
    drawn = "".join(one.proto.body for one in app.get("html"))
    links = [parse_qs(unescape(query)) for query in re.findall(r'href="\./faces\?([^"]*)"', drawn)]
    assert links, "each image is a link"
    names = {sample.name for sample in open_dataset(home / "frames").samples}
    for link in links:
        assert link["frame"][0] in names
        assert link["data"] == [str(home / "frames")]


def test_runs_under_different_folds_are_compared_with_a_warning(compare: Open) -> None:
    app = compare(view="Two runs", system="pixels + SVM")
    assert any("folds differ" in one.value for one in app.warning)


def test_the_paper_view_offers_what_is_missing_and_keeps_its_numbers(compare: Open) -> None:
    app = compare(view="Paper")
    assert any(button.label.startswith("Run the missing") for button in app.button)
    second = app.table[0].value
    assert {"26.51\u00a0%", "43.24\u00a0%", "14.42\u00a0%"} <= set(second["Paper"])
    assert any("chance" in words for words in second["Verdict"])


def press_missing(app: AppTest) -> AppTest:
    button = next(button for button in app.button if button.label.startswith("Run the missing"))
    return button.click().run(timeout=120)


def test_the_paper_s_missing_runs_are_queued_by_their_button_and_watched(
    compare: Open, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[object] = []
    monkeypatch.setattr("fer_core.runs.jobs.executors.launch", started.append)
    sheet = home / "sheet.xlsx"
    dataset = open_dataset(sheet)
    plan = paper_plan(dataset, data_config(dataset), WHOLE, load())
    app = press_missing(compare(data=str(sheet), view="Paper"))
    assert not app.error, app.error[0].value
    assert len(started) == 1
    store = Store(home / "home" / "fer.sqlite")
    found = {run.id: run.status for run in store.runs(ids=[config.key() for config in plan.configs])}
    assert set(found.values()) == {"queued"}
    assert len(found) == len(plan.configs)
    assert f"0 of {len(found)} done, 0 running, {len(found)} waiting" in [
        one.proto.text for one in app.get("progress")
    ]
    assert not [button for button in app.button if button.label.startswith("Run the missing")]
    first, *rest = found
    for run_id in rest:
        cancel(store, run_id)
    app.run()
    assert [one.proto.value for one in app.get("progress")] == [0], "what was cancelled is not done"
    cancel(store, first)
    store.close()
    app.run()  # what was cancelled is offered again
    assert [button for button in app.button if button.label == f"Run the missing {len(found)}"]


def test_the_paper_view_says_in_the_row_that_a_sheet_has_no_two_sets(compare: Open, home: Path) -> None:
    app = compare(data=str(home / "sheet.xlsx"), view="Paper")
    baselines = app.table[3].value
    assert "set1 and set2" in baselines["Verdict"].iloc[2]


def test_the_leak_meter_s_missing_protocols_are_run_by_its_button(
    compare: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FER_EXECUTOR", "inline")
    app = compare(view="Leak meter")
    assert "1 of the 3 runs" in shown(app)
    assert set(app.dataframe[0].value["title"]) == {"Stratified k-fold", "By-group k-fold"}
    app = press_missing(app)
    assert not app.error, app.error[0].value
    assert "are not here yet" not in shown(app)
    titles = ["Stratified k-fold", "By-clip k-fold", "By-group k-fold"]
    table = app.dataframe[0].value
    assert table["title"].tolist() == titles
    assert table[["folds", "seeds", "missing"]].drop_duplicates().to_numpy().tolist() == [
        [2, "0", "not looked for"]
    ]


def test_the_overview_shows_a_sheet_for_what_it_is(home: Path, page: Callable[..., AppTest]) -> None:
    app = page("app.py", home / "home", data=str(home / "sheet.xlsx"))
    assert not app.error
    assert {metric.label: metric.value for metric in app.metric}["Rows"] == "84"
    assert any("NaN" in one.value for one in app.warning)


def test_a_generated_sheet_is_labelled_where_its_figures_are(
    home: Path, page: Callable[..., AppTest]
) -> None:
    sheet = str(home / "sheet.xlsx")
    store = Store(home / "home" / "fer.sqlite")
    run = next(run.id for run in store.runs() if run.data_source == sheet)
    store.close()
    for name, query in (
        ("app.py", {}),
        ("pages/compare.py", {}),
        ("pages/train.py", {}),
        ("pages/train.py", {"run": run}),
    ):
        app = page(name, home / "home", data=sheet, **query)
        assert any("Generated figures" in one.value for one in app.info), (name, query)


COPY_RUN = """
    INSERT INTO runs (id, config, extra, goal, data, data_name, data_source, backbone, unfreeze, protocol, status,
                      created, queued, started, finished, attempts, max_attempts, seconds, summary, environment)
    SELECT :id, :config, extra, goal, data, data_name, data_source, backbone, unfreeze, protocol, status,
           created + 1, queued, started, finished + 1, attempts, max_attempts, seconds, :summary, environment
    FROM runs WHERE id = :from
"""
COPY_ROWS = """
    INSERT INTO predictions (run_id, seed, fold, name, label, "group", face_status, p0, p1, p2, p3, p4, p5, p6)
    SELECT :id, seed, fold, name, label, "group", face_status, p0, p1, p2, p3, p4, p5, p6
    FROM predictions WHERE run_id = :from
"""


def add_a_run(store: Store, source: Path, run_id: str) -> None:
    """Add a copy of the newest BDNN run on a data set under other seeds and with an accuracy of its own."""
    data = data_config(open_dataset(source)).fingerprint
    found = next(run for run in store.runs(status=["done"], data=data) if run.config.model.kind == "bdnn")
    entry = {
        "id": run_id,
        "from": found.id,
        "config": found.config_json.replace('"seeds":[0]', '"seeds":[7]'),
        "summary": json.dumps({**found.summary, "val_accuracy": 0.98765}),
    }
    for statement in (COPY_RUN, COPY_ROWS):
        store.write(lambda connection, statement=statement: connection.execute(text(statement), entry))


def test_a_run_that_ends_is_in_every_view_the_next_time(compare: Open, home: Path, tmp_path: Path) -> None:
    shutil.copytree(home / "home", tmp_path / "home")
    table = {"All runs": "dataframe", "Two runs": "a", "Leak meter": "model"}
    apps = {view: compare(tmp_path / "home", view=view) for view in table}
    paper = compare(tmp_path / "home", view="Paper", data=str(home / "sheet.xlsx"))

    def seen() -> dict[str, int]:
        """Count what each view offers, drawn anew with its caches as they are."""
        for app in (*apps.values(), paper):
            assert not app.run().exception
        listed = len(apps["All runs"].dataframe[0].value)
        chosen = {view: len(apps[view].selectbox(key=table[view]).options) for view in list(table)[1:]}
        return {
            "All runs": listed,
            **chosen,
            "Paper": sum("98.8 %" in str(one.value.to_dict()) for one in paper.table),
        }

    before = seen()
    assert before == seen()
    store = Store(tmp_path / "home" / "fer.sqlite")
    add_a_run(store, home / "frames", "f" * 16)
    add_a_run(store, home / "sheet.xlsx", "e" * 16)
    store.close()
    assert seen() == {view: count + 1 for view, count in before.items()}
