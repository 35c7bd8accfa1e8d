"""Users' regular expressions: as `re` reads them, and none that runs or grows without end."""

import re

import pytest

from fer_core.config.patterns import Pattern
from fer_core.errors import DataError


@pytest.mark.parametrize(
    "text", [r"^(\d+)_", r"(?P<group>[a-z]+)\d{2,4}(?P<clip>x)?", r"(?i)(ANNA|Bob)", r"(?<=_)(\w+?)\."]
)
def test_a_pattern_finds_what_re_finds(text: str) -> None:
    pattern = Pattern(text)
    assert pattern.groups == re.compile(text).groups
    for name in ("012_08.jpg", "anna2023x.png", "a/b_Bob_7.png", "", "ünï_ñ.png"):
        found, expected = pattern.search(name), re.search(text, name)
        assert (found and (found.span(), found.groups())) == (
            expected and (expected.span(), expected.groups())
        )


def test_a_pattern_that_backtracks_without_end_is_stopped_and_gets_no_second_chance() -> None:
    pattern = Pattern(r"(a|aa)+$", seconds=0.05)
    assert pattern.search("aaa")
    for _ in range(3):
        with pytest.raises(DataError, match="repeats inside repeats"):
            pattern.search("a" * 200 + "!")


@pytest.mark.parametrize(
    "text",
    [
        "(a",
        "(((a{1000}){1000}){1000})",  # three billion nodes once compiled
        "(" * 5000 + "a" + ")" * 5000,
        "(a)" * 10_000,
        "(a{999999999})",
    ],
)
def test_a_pattern_that_can_not_be_compiled_is_refused_at_once(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        Pattern(text)
