"""A run on photographs published: a demo of the folder answers and shows its evidence, and none of the pictures."""

import base64
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from page_case import labels, press, words
from PIL import Image
from pixel_search import PixelSearch
from publication_case import published, search_for
from streamlit.runtime.memory_media_file_storage import MemoryMediaFileStorage
from streamlit.testing.v1 import AppTest
from trees import png

from fer_core.config.settings import load
from fer_core.datasets.images import load_rgb
from fer_core.results.sharing import tables
from fer_core.results.sharing.published import read_published
from fer_core.results.sharing.report import report
from fer_core.results.sharing.runs import export_run
from fer_core.storage.artifacts import Artifacts
from fer_core.storage.home import open_store
from fer_core.storage.store import Store

Open = Callable[..., AppTest]
NOT_SHOWN = "pictures of the data set were not published"


@pytest.fixture(scope="module")
def lab(photographed: Path) -> Path:
    return photographed


@pytest.fixture(scope="module")
def search(lab: Path, photographs: Path) -> PixelSearch:
    return search_for(photographs, lab)


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Return the files that pages give to browsers, as they are given."""
    files, keep = [], MemoryMediaFileStorage.load_and_get_id

    def noted(self: Any, given: bytes, *rest: Any, **more: Any) -> str:
        files.append(given)
        return keep(self, given, *rest, **more)

    monkeypatch.setattr(MemoryMediaFileStorage, "load_and_get_id", noted)
    return files


@pytest.fixture
def demo(page: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Open:
    """Return a function that opens a page of a published folder, on a host that has nothing else."""

    def open_page(folder: Path, name: str, **query: str) -> AppTest:
        monkeypatch.setenv("FER_DEMO", str(folder))
        return page(name, tmp_path / "elsewhere", **{"data": "sfew"} | query)

    return open_page


def test_a_search_finds_pictures_however_they_are_kept(
    search: PixelSearch, lab: Path, tmp_path: Path
) -> None:
    face = np.load(next(lab.rglob("crops.npy")))[3]
    Image.fromarray(face).resize((96, 96)).save(tmp_path / "a.jpg")
    np.savez_compressed(tmp_path / "b.npz", face.astype(np.float32) / 255)
    (tmp_path / "c.bin").write_bytes(b"x" * 99 + face.tobytes())
    (tmp_path / "d.html").write_bytes(b"data:" + base64.b64encode((tmp_path / "a.jpg").read_bytes()))
    (tmp_path / "e.png").write_bytes(png(2))
    assert set(search.within(tmp_path)) == {"a.jpg", "b.npz", "c.bin", "d.html"}


def test_figures_alone_leave_the_host_in_the_folder_the_pages_and_what_they_export(
    demo: Open, search: PixelSearch, sent: list[bytes], lab: Path, tmp_path: Path
) -> None:
    figures_only = published(lab, tmp_path / "figures")
    before = {path: path.read_bytes() for path in figures_only.rglob("*") if path.is_file()}
    assert search.within(figures_only) == {}
    run = Store(lab / "fer.sqlite").runs(status=["done"], goal="train")[0]
    frame = Store(lab / "fer.sqlite").predictions(run.id)["name"][0]
    seen = []
    for name, query, plain in (
        ("app.py", {}, False),
        ("pages/predict.py", {"from": "sample"}, True),
        ("pages/made.py", {"run": run.id}, False),
        ("pages/faces.py", {"frame": frame}, True),
        ("pages/train.py", {"run": run.id}, False),
        ("pages/train.py", {"run": run.id, "part": "Frames"}, True),
        ("pages/train.py", {"run": run.id, "part": "Frames", "frame": frame}, False),
        ("pages/train.py", {"run": run.id, "part": "Map"}, True),
        *(("pages/compare.py", {"view": view}, False) for view in ("All runs", "Paper", "Leak meter")),
    ):
        shown = demo(figures_only, name, **query)
        assert not shown.error, (name, query)
        protos = [getattr(one, "proto", None) for one in (*shown.main, *shown.sidebar)]
        seen += [proto.SerializeToString() for proto in protos if proto is not None]
        assert (NOT_SHOWN in words(shown)) is plain, (name, query)
    shown = press(demo(figures_only, "app.py"), "Try face 3")
    assert re.search(r"on images of sfew, \d+ % were right|it gave no .* in its test", words(shown))
    for part in ("article 5(1)(f)", f"{run.config.data.images} images of sfew"):
        assert part in words(shown)
    settings = load()
    store, artifacts = open_store(settings), Artifacts(settings.artifacts)
    export_run(store, artifacts, run.id, tmp_path / "run.zip")
    told = report(store, run.id)
    assert "article 5(1)(f)" in told
    table = tables.csv_text(tables.predictions(store, settings, run.id))
    exports = [told.encode(), table.encode(), (tmp_path / "run.zip").read_bytes()]
    assert len(sent) > 5
    assert not [how for data in (*seen, *sent, *exports) if (how := search.found(data))]
    assert before == {path: path.read_bytes() for path in figures_only.rglob("*") if path.is_file()}


def test_with_its_pictures_they_are_in_the_folder_and_on_the_pages(
    demo: Open, lab: Path, search: PixelSearch, sent: list[bytes], tmp_path: Path
) -> None:
    folder = published(lab, tmp_path / "all", "all")
    found = search.within(folder)
    assert {"as a PNG", "as bytes"} <= set(found.values())
    assert not search.found((folder / "fer.sqlite").read_bytes())
    assert "Try face 6" in labels(demo(folder, "pages/predict.py"))
    assert not demo(folder, "pages/faces.py").error
    assert any(search.found(data) for data in sent)


def test_of_pictures_to_try_nothing_but_these_goes_along(
    lab: Path, search: PixelSearch, photographs: Path, demo: Open, tmp_path: Path
) -> None:
    liveliest = max(photographs.rglob("*.png"), key=lambda path: load_rgb(path).std())
    frame, own = liveliest.relative_to(photographs).as_posix(), tmp_path / "own.png"
    own.write_bytes(png(1))
    folder = published(lab, tmp_path / "some", frame, str(own))
    samples = read_published(folder).samples.samples
    assert [(one.group, bool(one.written)) for one in samples] == [("sfew", True), ("", False)]
    assert set(search.within(folder)) == {samples[0].path.name}
    shown = demo(folder, "pages/predict.py", **{"from": "sample", "image": samples[0].name})
    for part in ("From the run's own data", f"labelled **{samples[0].written}**"):
        assert part in words(shown)


def test_a_runner_publishes_from_the_runs_page(page: Open, lab: Path, photographs: Path) -> None:
    run = Store(lab / "fer.sqlite").runs(status=["done"], goal="train")[0]
    shown = press(page("pages/train.py", lab, data=str(photographs), run=run.id), "Publish")
    [folder] = (lab / "published").iterdir()
    assert str(folder) in words(shown)
    found = read_published(folder)
    assert (list(found.data), found.pictured, found.samples.generated) == (["sfew"], (), True)
