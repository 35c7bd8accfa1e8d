"""Pages run through AppTest on the small generated set."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import streamlit as st
from faces_case import detect, make_frames
from streamlit.testing.v1 import AppTest

from fer_core import ROOT
from fer_core.config.run import RunConfig


@pytest.fixture
def page(
    monkeypatch: pytest.MonkeyPatch, generated: Path, caplog: pytest.LogCaptureFixture
) -> Iterator[Callable[..., AppTest]]:
    """Return a function that opens a page of a home with query parameters, on the small set.

    Whatever is cached by a table must be hashable: Streamlit pickles what isn't on every visit, and logs it.
    """
    monkeypatch.chdir(ROOT)

    def open_page(name: str, home: Path, **query: str) -> AppTest:
        monkeypatch.setenv("FER_HOME", str(home))
        st.cache_data.clear()
        st.cache_resource.clear()
        test = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
        if name != "app.py":
            test.switch_page(name)
        test.query_params["data"] = str(generated)
        for key, value in query.items():
            test.query_params[key] = value
        return test.run()

    yield open_page
    assert "hashing method failed" not in "\n".join(one.getMessage() for one in caplog.get_records("call"))
    st.cache_data.clear()
    st.cache_resource.clear()


@pytest.fixture(scope="session")
def frames(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the small data set of `faces_case`, whose detections are written for it."""
    return make_frames(tmp_path_factory.mktemp("data") / "small")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return the state folder of this test."""
    return tmp_path / "home"


@pytest.fixture
def config(frames: Path, home: Path) -> RunConfig:
    """Return the detection that the Faces page finds done on `frames`."""
    return detect(frames, home)


@pytest.fixture
def opened(page: Callable[..., AppTest], frames: Path, home: Path) -> Callable[..., AppTest]:
    """Return a function that opens the Faces page on `frames` with a query."""

    def open_page(**query: object) -> AppTest:
        app = page("pages/faces.py", home, data=str(frames), **query)
        assert not app.exception
        assert not app.error
        return app

    return open_page


@pytest.fixture
def launched(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Return the launches asked for: no worker starts."""
    calls: list[object] = []
    monkeypatch.setattr("fer_core.runs.jobs.executors.launch", calls.append)
    return calls
