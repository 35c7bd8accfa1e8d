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
from page_case import labels, press, words
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
from fer_core.ui.cache.resources import MOST_RUNS
from fer_core.ui.compare.view import PER_PAGE

Open = Callable[..., AppTest]
MISSING = "Run the missing"
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
    frames = generate(
        GeneratedConfig(ordinary=42, hard=0, width=160, height=128), folder / "frames", workers=1
    )
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


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("data", ["frames", "a sheet instead of images", "nothing run"])
def test_every_view_draws_without_an_error(
    compare: Open, home: Path, view: str, data: str, tmp_path: Path
) -> None:
    source = home / ("frames" if data == "frames" else "sheet.xlsx")
    if data == "nothing run":
        source = generate_table(tmp_path / "other.xlsx", seed=1, rows=84)
    app = compare(data=str(source), view=view)
    assert not app.exception
    assert not app.error, app.error[0].value


def test_filters_come_from_the_url(compare: Open) -> None:
    app = compare(protocols="group", system="pixels + SVM")
    table = app.dataframe[0].value
    assert table["title"].tolist() == ["pixels + SVM, whole frames"]
    assert table["protocol"].tolist() == ["group"]


def test_two_runs_are_compared_on_the_same_images(compare: Open, home: Path) -> None:
    app = compare(view="Two runs", protocols="group")
    assert {"Lead of the better", "McNemar's p"} <= {metric.label for metric in app.metric}
    assert "on these 42 images" in words(app)
    drawn = "".join(one.proto.body for one in app.get("html"))
    links = [parse_qs(unescape(query)) for query in re.findall(r'href="\./faces\?([^"]*)"', drawn)]
    assert links, "each image is a link"
    names = {sample.name for sample in open_dataset(home / "frames").samples}
    for link in links:
        assert link["frame"][0] in names
        assert link["data"] == [str(home / "frames")]


def test_runs_under_different_folds_are_compared_with_a_warning(compare: Open) -> None:
    app = compare(view="Two runs", system="pixels + SVM")
    assert "folds differ" in words(app)


def test_the_paper_view_offers_what_is_missing_and_keeps_its_numbers(compare: Open) -> None:
    app = compare(view="Paper")
    assert MISSING in str(labels(app))
    second = app.table[0].value
    assert {"26.51\u00a0%", "43.24\u00a0%", "14.42\u00a0%"} <= set(second["Paper"])
    assert any("chance" in words for words in second["Verdict"])


def test_the_paper_s_missing_runs_are_queued_by_their_button_and_watched(
    compare: Open, home: Path, launched: list[object]
) -> None:
    sheet = home / "sheet.xlsx"
    dataset = open_dataset(sheet)
    plan = paper_plan(dataset, data_config(dataset), WHOLE, load())
    app = press(compare(data=str(sheet), view="Paper"), MISSING)
    assert not app.error, app.error[0].value
    assert len(launched) == 1
    store = Store(home / "home" / "fer.sqlite")
    found = {run.id: run.status for run in store.runs(ids=[config.key() for config in plan.configs])}
    assert set(found.values()) == {"queued"}
    assert len(found) == len(plan.configs)
    assert f"0 of {len(found)} done, 0 running, {len(found)} waiting" in [
        one.proto.text for one in app.get("progress")
    ]
    assert MISSING not in str(labels(app))
    first, *rest = found
    for run_id in rest:
        cancel(store, run_id)
    app.run()
    assert [one.proto.value for one in app.get("progress")] == [0], "what was cancelled is not done"
    cancel(store, first)
    store.close()
    app.run()  # what was cancelled is offered again
    assert f"{MISSING} {len(found)}" in labels(app)


def test_the_paper_view_says_in_the_row_that_a_sheet_has_no_two_sets(compare: Open, home: Path) -> None:
    app = compare(data=str(home / "sheet.xlsx"), view="Paper")
    (baselines,) = (one.value for one in app.table if any("SPI" in str(row) for row in one.value.index))
    assert "set1 and set2" in baselines["Verdict"].iloc[2]


def test_the_leak_meter_s_missing_protocols_are_run_by_its_button(
    compare: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FER_EXECUTOR", "inline")
    app = compare(view="Leak meter")
    assert "1 of the 3 runs" in words(app)
    assert set(app.dataframe[0].value["protocol"]) == {"stratified", "group"}
    app = press(app, MISSING)
    assert not app.error, app.error[0].value
    assert "are not here yet" not in words(app)
    table = app.dataframe[0].value
    assert table["protocol"].tolist() == ["stratified", "clip", "group"]
    assert table["folds"].tolist() == [2, 2, 2]
    assert table["missing_faces"].isna().all()


def test_the_overview_shows_a_sheet_for_what_it_is(home: Path, page: Callable[..., AppTest]) -> None:
    app = page("app.py", home / "home", data=str(home / "sheet.xlsx"))
    assert not app.error
    assert {metric.label: metric.value for metric in app.metric}["Rows"] == "84"
    assert "NaN" in words(app, "warning")


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
        assert "Generated figures" in words(app), (name, query)


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


def add_runs(store: Store, source: Path, ids: list[str]) -> None:
    """Add copies of the newest BDNN run on a data set, each under another seed and with an accuracy of 98.8 %."""
    data = data_config(open_dataset(source)).fingerprint
    found = next(run for run in store.runs(status=["done"], data=data) if run.config.model.kind == "bdnn")
    summary = json.dumps({**found.summary, "val_accuracy": 0.98765})
    entries = [
        {
            "id": run_id,
            "from": found.id,
            "config": found.config_json.replace('"seeds":[0]', f'"seeds":[{seed}]'),
            "summary": summary,
        }
        for seed, run_id in enumerate(ids, 7)
    ]
    for statement in (COPY_RUN, COPY_ROWS):
        store.write(lambda connection, statement=statement: connection.execute(text(statement), entries))


def test_many_runs_are_drawn_page_by_page_and_only_so_many_are_read(
    compare: Open, home: Path, tmp_path: Path
) -> None:
    assert "Drawn below" not in words(compare())
    shutil.copytree(home / "home", tmp_path / "home")
    store = Store(tmp_path / "home" / "fer.sqlite")
    add_runs(store, home / "frames", [f"{number:016x}" for number in range(MOST_RUNS)])
    store.close()
    app = compare(tmp_path / "home", runs_page="2", sort="newest first")
    assert not app.error, app.error[0].value
    assert f"the newest {MOST_RUNS:,} are compared" in words(app)
    first, last = PER_PAGE + 1, 2 * PER_PAGE
    assert f"Drawn below: {first} to {last} of" in words(app)
    assert sum(len(one.value) for one in app.dataframe) == MOST_RUNS


def test_a_run_that_ends_is_in_every_view_the_next_time(compare: Open, home: Path, tmp_path: Path) -> None:
    shutil.copytree(home / "home", tmp_path / "home")
    table = {"All runs": "dataframe", "Two runs": "a", "Leak meter": "model"}
    apps = {view: compare(tmp_path / "home", view=view) for view in table}
    paper = compare(tmp_path / "home", view="Paper", data=str(home / "sheet.xlsx"))

    def seen() -> dict[str, int]:
        """Count what each view offers, drawn again with its caches as they are."""
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
    add_runs(store, home / "frames", ["f" * 16])
    add_runs(store, home / "sheet.xlsx", ["e" * 16])
    store.close()
    assert seen() == {view: count + 1 for view, count in before.items()}


def test_runs_vote_from_the_page(page: Callable[..., AppTest], trained: Path, tmp_path: Path) -> None:
    home = Path(shutil.copytree(trained, tmp_path / "home"))
    shown = page("pages/compare.py", home)
    members = next(one for one in shown.multiselect if one.label == "Members")
    shown = members.set_value(members.options[:1]).run()
    assert next(one for one in shown.button if one.label == "Let them vote").disabled
    members = next(one for one in shown.multiselect if one.label == "Members")
    shown = members.set_value(members.options[:2]).run()
    shown = next(one for one in shown.button if one.label == "Let them vote").click().run()
    assert not shown.exception
    (vote,) = [run for run in Store(home / "fer.sqlite").runs() if run.config.model.kind == "vote"]
    said = "\n".join(one.value for one in shown.markdown)
    assert vote.id in said
    assert "McNemar" in said.replace("\\", "")
