"""Text from outside is shown as it is: neither as markdown nor as HTML, nor with the escapes to be seen."""

import html
import re

import pytest

from fer_core.ui.parts.widgets import escaped


@pytest.mark.parametrize(
    "text", ["a format that can't be read", 'the "first" #1', "<b>*x*</b> & $y$", "[a](b) `c` a_b: 1|2~3!"]
)
def test_what_is_shown_is_what_was_given(text: str) -> None:
    shown = escaped(text)
    assert html.unescape(re.sub(r"\\(.)", r"\1", shown)) == text
    assert not re.search(r"&\\", shown), "a broken entity would be seen"
    assert "<" not in shown
