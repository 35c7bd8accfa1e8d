"""Pages run through AppTest on a home with finished runs of a small generated set."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from fer_core.cli import main

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, generated: Path) -> Path:
    """Return a home in which the paper's first two settings have been trained on the small set."""
    home = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FER_HOME", str(home))
        patch.setenv("FER_DEVICE", "cpu")
        patch.setenv("FER_THREADS", "1")
        arguments = ["train", "--data", str(generated), "--backbone", "efficientnet_lite0", "--json"]
        arguments += ["--protocol", "group", "--folds", "2", "--epochs", "2", "--unfreeze", "1,2"]
        assert main(arguments) == 0
    return home


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch, generated: Path) -> Iterator[Callable[..., AppTest]]:
    """Return a function that opens a page of a home with query parameters, on the small set."""
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
    st.cache_data.clear()
    st.cache_resource.clear()
