"""Values that a link names: taken however they are written, reported where there is no such one."""

import ast
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from fer_core import ROOT


def page() -> None:
    import streamlit as st

    from fer_core.ui.parts.url import SWITCH, in_range, linked, notices

    views = {"all": "All frames", "failed": "Failed detections"}
    names = ["found", "none", "None", "Night, 2 folds (0123abcd)"]
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
        st.number_input("Epochs", value=20, **in_range("epochs", 1, 1000))
        st.number_input("Rate", value=0.1, format="%g", step=0.1, **in_range("rate", 1e-6, 1.0))
        st.slider("Margin", value=8, step=4, **in_range("margin", 0, 64))
        st.slider("Size", value=(0, 90), step=5, **in_range("size", 0, 90, pair=True))
        st.toggle("Flip", key=linked("flip", SWITCH), bind="query-params")
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
        ("status", "What it was called (0123abcd)", ["Night, 2 folds (0123abcd)"]),
        ("page", "3", 3),
        ("epochs", "300", 300),
        ("epochs", "300.0", 300),
        ("rate", "1e-5", 1e-5),
        ("margin", "12", 12),
        ("size", ["20", "45"], (20, 45)),
        ("flip", "true", True),
        ("flip", "True", True),
    ],
)
def test_an_option_is_meant_however_it_is_written(key: str, given: str | list[str], value: Any) -> None:
    test = opened(**{key: given})
    assert test.session_state[key] == value
    assert not test.toast


@pytest.mark.parametrize(
    ("key", "given", "value", "said"),
    [
        ("view", "*lost*", "all", r"**view**: “\*lost\*” is not one of All frames, Failed detections."),
        ("status", ["found", "NONE"], ["found"], "“NONE”"),
        ("page", "9", 1, "is not one of 1 to 4."),
        ("epochs", "5000", 20, "**epochs**: “5000” is not a whole number from 1 to 1000."),
        ("epochs", "*x*", 20, r"**epochs**: “\*x\*” is not a whole number from 1 to 1000."),
        ("epochs", "2.5", 20, "“2.5” is not a whole number"),
        ("epochs", "nan", 20, "“nan” is not a whole number"),
        ("rate", "0", 0.1, "**rate**: “0” is not a number from 1e-06 to 1."),
        ("margin", "-4", 8, "**margin**: “\\-4” is not a whole number from 0 to 64."),
        ("size", ["45", "20"], (0, 90), "**size**: “45, 20” is not two rising whole numbers from 0 to 90."),
        ("size", "45", (0, 90), "“45” is not two rising whole numbers"),
        ("flip", "yes", False, "**flip**: “yes” is not one of true, false."),
    ],
)
def test_what_no_option_is_named_like_is_reported(
    key: str, given: str | list[str], value: Any, said: str
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


def test_whatever_the_url_holds_is_looked_at_first() -> None:
    """Only a text is nothing but itself."""
    root = ROOT
    bound = [
        (path.name, node)
        for path in [*(root / "fer_core" / "ui").rglob("*.py"), *(root / "pages").glob("*.py")]
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and any(keyword.arg == "bind" for keyword in node.keywords)
    ]
    assert bound
    for name, call in bound:
        key = next(keyword.value for keyword in call.keywords if keyword.arg == "key")
        checked = isinstance(key, ast.Call) and ast.unparse(key.func) == "linked"
        text = ast.unparse(call.func).endswith("text_input")
        text |= any(keyword.arg == "accept_new_options" for keyword in call.keywords)
        assert checked or text, f"{name}:{call.lineno}"


def test_pages_end_early_in_the_way_that_gives_notices() -> None:
    root = ROOT
    for page in (root / "pages").glob("*.py"):
        calls = [node for node in ast.walk(ast.parse(page.read_text())) if isinstance(node, ast.Call)]
        assert "st.stop" not in {ast.unparse(call.func) for call in calls}, page.name
