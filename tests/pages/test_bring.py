"""The Bring data page: what it understood, corrections, the name under which a data set is then found."""

from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qsl

import pytest
from page_case import press, words
from streamlit.testing.v1 import AppTest
from trees import plant

from fer_core.config.reading import Reading
from fer_core.config.run import DataConfig, RunConfig
from fer_core.runs.jobs.queue import submit
from fer_core.storage.store import NamedData, Store

Open = Callable[..., AppTest]
PAGE = "pages/bring.py"


@pytest.fixture
def numbered(tmp_path: Path) -> Path:
    """Return class folders that are bare numbers."""
    return plant(tmp_path / "set", [f"{number}/{name}.png" for number in (1, 4) for name in "abcdef"])


def errors(app: AppTest) -> str:
    return "\n".join(one.value for one in app.error)


def spellings(app: AppTest) -> list[list[object]]:
    (found,) = [one.value for one in app.dataframe if "As written" in one.value.columns]
    return found.to_numpy().tolist()


def test_bare_numbers_are_seen_under_a_label_map_before_they_are_opened(
    page: Open, home: Path, numbered: Path
) -> None:
    app = page(PAGE, home, path=str(numbered))
    assert "need a label map" in errors(app)
    assert "with *Label map*" in errors(app)  # the field of this page, not an option
    app.selectbox(key="label_map").set_value("rafdb").run()
    assert not app.error
    assert spellings(app) == [["4", "happy", 6, "4/a.png"], ["1", "surprise", 6, "1/a.png"]]
    assert [one.proto.imgs[0].caption for one in app.get("image")] == ["4 = happy: 6", "1 = surprise: 6"]
    given = page(PAGE, home, path=str(numbered), label_map="1=sad,4=fear")
    assert [row[1] for row in spellings(given)] == ["fear", "sad"]


def test_what_is_opened_has_a_name_that_every_page_knows_and_is_trained_on_as_declared(
    page: Open, home: Path, numbered: Path, launched: list[object]
) -> None:
    shown = page(PAGE, home, path=str(numbered), label_map="rafdb", called="Faces")
    press(shown, "Open data set")
    (one,) = Store(home / "fer.sqlite").data_sets().values()
    assert one == NamedData("Faces", str(numbered), "auto", Reading(label_map="rafdb"))
    for name in ("app.py", "pages/faces.py", "pages/train.py"):
        app = page(name, home, data="Faces", weights="none", unfreeze="1")
        assert not app.exception
        assert not app.error
        assert "Faces" in app.selectbox(key="source").options
    press(app, "Train 1 run")
    (run,) = Store(home / "fer.sqlite").runs()
    assert run.config.data.reading == Reading(label_map="rafdb")
    assert (run.data_source, run.data_name, len(launched)) == (str(numbered), "Faces", 1)
    overview = page("app.py", home, data=str(numbered))  # a run's link has the path
    assert overview.query_params["data"] in ("Faces", ["Faces"])
    assert spellings(overview)[0][:3] == ["4", "happy", 6]


def test_all_that_the_command_line_declares_is_a_field(page: Open, home: Path, tmp_path: Path) -> None:
    plant(tmp_path / "images", ["S1_a.png", "S2_b.png"])
    table = tmp_path / "list.csv"
    table.write_text("img;emo\nS1_a.png;happy\nS2_b.png;sad\nS3_c.png;sad\n", encoding="utf-8")
    fields = {"list_columns": "path=img,label=emo", "image_root": str(tmp_path / "images")}
    app = page(PAGE, home, path=str(table), group_pattern=r"^(S\d)", **fields)
    assert [row[1] for row in spellings(app)] == ["happy", "sad"]
    assert "**2** movies or persons" in words(app)
    assert "**1** left out" in words(app)
    keys = {one.key for kind in (app.selectbox, app.text_input) for one in kind}
    beside = {"columns", "exclude"}  # called otherwise here; frames are ticked, on Faces
    assert set(Reading.model_fields) - beside | {"list_columns", "layout", "path", "called"} <= keys
    press(app, "Open data set")
    (change,) = [one.value["Change"][0] for one in page(PAGE, home).dataframe if "Change" in one.value]
    query = dict(parse_qsl(change.partition("?")[2]))
    assert (
        query == {"path": str(table), "layout": "auto", "called": "list", "group_pattern": r"^(S\d)"} | fields
    )


def test_a_name_that_another_data_set_has_is_said_before_it_is_replaced(
    page: Open, home: Path, numbered: Path
) -> None:
    store = Store(home / "fer.sqlite")
    store.name_data(NamedData("set", "/elsewhere", "csv", Reading()))
    app = page(PAGE, home, path=str(numbered), label_map="rafdb")
    assert r"**set** is /elsewhere so far" in words(app)
    for name in ("a/b", "demo"):
        wrong = page(PAGE, home, path=str(numbered), label_map="rafdb", called=name)
        assert "must not be a path" in errors(wrong)
        assert next(one for one in wrong.button if one.label == "Open data set").disabled


def test_what_was_uploaded_and_never_used_goes_with_its_name(page: Open, home: Path) -> None:
    store = Store(home / "fer.sqlite")
    kept, gone = (plant(home / "uploads" / (16 * name), ["set/happy/a.png"]) for name in "ab")
    for folder in (kept, gone):
        source = str(folder / "set")
        store.name_data(NamedData(folder.name[:1], source, "auto", Reading()))
    data = DataConfig(fingerprint="0" * 16, source=str(kept / "set"))
    submit(store, RunConfig(data=data))
    for name in "ab":
        app = page(PAGE, home)
        app.selectbox(key="forget-name").set_value(name).run()
        press(app, "Forget")
    assert store.data_sets() == {}
    assert (kept.exists(), gone.exists()) == (True, False)


def test_a_data_set_that_must_be_declared_leads_to_the_page(page: Open, home: Path, numbered: Path) -> None:
    app = page("app.py", home, data=str(numbered))
    assert "need a label map" in errors(app)
    links = {one.proto.label: one.proto.query_string for one in app.get("page_link")}
    assert str(numbered.name) in links["Say how it is read, and open it"]


def test_a_hosted_demo_brings_nothing(
    page: Open, trained: Path, numbered: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FER_DEMO", "1")
    app = page(PAGE, trained, path=str(numbered))
    assert "bringing data is off" in words(app)
    assert not app.text_input
    assert "Bring data" not in {one.proto.label for one in app.get("page_link")}
