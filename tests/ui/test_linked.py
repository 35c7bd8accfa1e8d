"""Values that a link names: taken however they are written, told where there is no such one."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest


def page() -> None:
    import streamlit as st

    from fer_core.ui.linked import linked, notices

    views = {"all": "All frames", "failed": "Failed detections"}
    names = ["found", "none", "None"]
    with notices():
        st.segmented_control(
            "View",
            list(views),
            default="all",
            required=True,
            format_func=views.__getitem__,
            key=linked("view", list(views), views.__getitem__),
            bind="query-params",
        )
        st.multiselect("Status", names, key=linked("status", names), bind="query-params")
        st.pagination(4, key=linked("page", range(1, 5)), bind="query-params")
        st.button("Again")


def opened(**query: str | list[str]) -> AppTest:
    test = AppTest.from_function(page, default_timeout=60)
    for key, value in query.items():
        test.query_params[key] = value
    test.run()
    assert not test.exception
    return test


@pytest.mark.parametrize(
    ("key", "given", "value"),
    [
        ("view", "Failed detections", "failed"),
        ("view", "failed", "failed"),
        ("view", "FAILED detections", "failed"),
        ("status", ["FOUND", "none"], ["found", "none"]),
        ("page", "3", 3),
    ],
)
def test_an_option_is_meant_however_it_is_written(
    key: str, given: str | list[str], value: str | list[str] | int
) -> None:
    test = opened(**{key: given})
    assert test.session_state[key] == value
    assert not test.toast


@pytest.mark.parametrize(
    ("key", "given", "value", "said"),
    [
        ("view", "*lost*", "all", r"**view**: “\*lost\*” is not one of All frames, Failed detections."),
        ("status", ["found", "NONE"], ["found"], "“NONE”"),
        ("page", "9", 1, "is not one of 1 to 4."),
    ],
)
def test_what_no_option_is_named_like_is_told(
    key: str, given: str | list[str], value: str | list[str] | int, said: str
) -> None:
    test = opened(**{key: given})
    assert test.session_state[key] == value
    assert len(test.toast) == 1
    assert said in test.toast[0].value
    test.button[0].click().run()
    assert not test.toast


def test_a_notice_outlives_the_correction_of_another_value() -> None:
    test = opened(view="lost", page="two", status="FOUND")
    assert test.session_state["status"] == ["found"]
    assert [toast.value.partition("”")[0] for toast in test.toast] == ["**view**: “lost", "**page**: “two"]
