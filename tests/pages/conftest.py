"""Pages run through AppTest on the small generated set."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from fer_core import ROOT


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
