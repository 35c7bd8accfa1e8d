"""Labels mean what people write, and numbers only what was declared."""

from __future__ import annotations

import pytest

from fer_core.config.run import CLASSES
from fer_core.datasets.readers.labels import ALIASES, parse_label
from fer_core.errors import DataError


@pytest.mark.parametrize(("index", "name"), list(enumerate(CLASSES)))
def test_names_count_in_any_case(index: int, name: str) -> None:
    numbered = (f"3_{name}", f"01 {name}", f"{index}-{name}", f"2{name}")
    for text in (name, name.upper(), name.title(), f"  {name}\n", *numbered):
        assert parse_label(text) == index
        assert parse_label(text, codes="1-7") == index


def test_aliases_name_classes() -> None:
    known = {"Anger": "angry", "JOY": "happy", "Fearful": "fear", "sadness": "sad", "Surprised": "surprise"}
    known |= {"disgusted": "disgust", "Neutrality": "neutral", "happiness": "happy"} | ALIASES
    assert all(parse_label(text) == CLASSES.index(name) for text, name in known.items())


@pytest.mark.parametrize(
    "text", ["", "contempt", "Angryy", "NaN", "happy sad", "_", "-1", "3x", "1_", "٣ happy!"]
)
def test_anything_else_means_nothing(text: str) -> None:
    assert parse_label(text) is None


@pytest.mark.parametrize("text", ["0", "3", "7", "01", "4.0", " 5 "])
def test_undeclared_numbers_are_refused_with_the_fix(text: str) -> None:
    with pytest.raises(DataError, match=r"0-6 or 1-7.*angry, disgust, fear, happy, neutral, sad, surprise"):
        parse_label(text)


def test_declared_numbers_count_from_their_first() -> None:
    assert [parse_label(str(code), codes="0-6") for code in range(8)] == [0, 1, 2, 3, 4, 5, 6, None]
    assert [parse_label(str(code), codes="1-7") for code in range(9)] == [None, 0, 1, 2, 3, 4, 5, 6, None]
    assert parse_label("4.0", codes="1-7") == CLASSES.index("happy")
    assert parse_label("4.5", codes="1-7") is None


def test_unknown_codes_are_refused() -> None:
    with pytest.raises(DataError, match="0-6 or 1-7"):
        parse_label("3", codes="1-6")
