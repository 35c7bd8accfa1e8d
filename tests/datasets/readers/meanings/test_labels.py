"""Labels mean what people write, and numbers only what was declared."""

import pytest

from fer_core.config.run import CLASSES
from fer_core.datasets.readers.meanings.labels import ALIASES, LABEL_MAPS, label_map, meaning
from fer_core.errors import DataError

#: What each published code book says, label by label, as its authors print it.
PUBLISHED = {
    "fer2013": {0: "angry", 1: "disgust", 2: "fear", 3: "happy", 4: "sad", 5: "surprise", 6: "neutral"},
    "ferplus": {0: "neutral", 1: "happy", 2: "surprise", 3: "sad", 4: "angry", 5: "disgust", 6: "fear"},
    "rafdb": {1: "surprise", 2: "fear", 3: "disgust", 4: "happy", 5: "sad", 6: "angry", 7: "neutral"},
    "affectnet": {0: "neutral", 1: "happy", 2: "sad", 3: "surprise", 4: "fear", 5: "disgust", 6: "angry"},
    "ck": {0: "neutral", 1: "angry", 3: "disgust", 4: "fear", 5: "happy", 6: "sad", 7: "surprise"},
    "expw": {0: "angry", 1: "disgust", 2: "fear", 3: "happy", 4: "sad", 5: "surprise", 6: "neutral"},
    "affwild2": {0: "neutral", 1: "angry", 2: "disgust", 3: "fear", 4: "happy", 5: "sad", 6: "surprise"},
    "jaffe": {"AN": "angry", "DI": "disgust", "FE": "fear", "HA": "happy", "NE": "neutral", "SA": "sad",
              "SU": "surprise"},
    "kdef": {"AN": "angry", "DI": "disgust", "AF": "fear", "HA": "happy", "NE": "neutral", "SA": "sad",
             "SU": "surprise"},
    "rafd": {"angry": "angry", "disgusted": "disgust", "fearful": "fear", "happy": "happy", "neutral": "neutral",
             "sad": "sad", "surprised": "surprise"},
    "sfew": {1: "angry", 2: "disgust", 3: "fear", 4: "happy", 5: "neutral", 6: "sad", 7: "surprise"},
    "ours": {0: "angry", 1: "disgust", 2: "fear", 3: "happy", 4: "neutral", 5: "sad", 6: "surprise"},
}  # fmt: skip


@pytest.mark.parametrize(("index", "name"), list(enumerate(CLASSES)))
def test_names_count_in_any_case(index: int, name: str) -> None:
    numbered = (f"3_{name}", f"01 {name}", f"{index}-{name}", f"2{name}")
    quoted = (
        f"“{name}”",
        f"'{name}'",
        f"{name}.",
        f"{name};",
        f"{name}\u200b",
        f"\ufeff{name}",
        f"{name}\u00ad",
    )
    for text in (name, name.upper(), name.title(), f"  {name}\n", *numbered, *quoted):
        assert meaning(text) == index
        assert meaning(text, label_map("sfew")) == index


def test_aliases_name_classes() -> None:
    known = {"Anger": "angry", "JOY": "happy", "Fearful": "fear", "sadness": "sad", "Surprised": "surprise"}
    known |= {"disgusted": "disgust", "Neutrality": "neutral", "happiness": "happy"} | ALIASES
    assert all(meaning(text) == CLASSES.index(name) for text, name in known.items())


@pytest.mark.parametrize("text", ["", "Angryy", "happy sad", "_", "3x", "1_", "٣ happy!"])
def test_anything_else_means_nothing_and_is_named(text: str) -> None:
    assert str(meaning(text)).startswith(f"unknown label {text!r}")


def test_letters_that_only_look_alike_are_shown() -> None:
    assert "h\\u0430ppy" in str(meaning("h\u0430ppy"))


@pytest.mark.parametrize("text", ["0", "3", "7", "01", "4.0", " 5 ", "-1", "3.0000000e+00"])
def test_undeclared_numbers_mean_nothing(text: str) -> None:
    assert "no label map says" in str(meaning(text))


@pytest.mark.parametrize("name", LABEL_MAPS)
def test_maps_are_those_that_were_published(name: str) -> None:
    labels = label_map(name)
    assert {label: CLASSES[int(meaning(str(label), labels))] for label in PUBLISHED[name]} == {
        **PUBLISHED[name]
    }
    assert set(PUBLISHED[name].values()) == set(CLASSES)


def test_what_is_outside_a_map_or_the_classes_says_so() -> None:
    affectnet = label_map("affectnet")
    assert meaning("7", affectnet) == "label '7' means contempt, which is none of the seven classes"
    assert meaning("Contempt") == "label 'Contempt', which is none of the seven classes"
    assert meaning("11", affectnet) == "label '11' is not in the label map affectnet"
    assert meaning("4.0", label_map("sfew")) == CLASSES.index("happy")
    assert "unknown label '4.5'" in str(meaning("4.5", label_map("sfew")))


def test_a_map_can_be_given() -> None:
    labels = label_map(" 4=sad, 05=Surprised ,x=contempt")
    assert [meaning(text, labels) for text in ("4", "5.0", "happy")] == [5, 6, 3]
    assert "contempt" in str(meaning("X", labels))


@pytest.mark.parametrize("text", ["0-6", "imagenet", "4=sads", "", "4="])
def test_unknown_maps_are_refused_and_the_known_ones_listed(text: str) -> None:
    with pytest.raises(DataError, match=r"fer2013, ferplus, rafdb, affectnet, ck, expw.*4=sad,5=surprise"):
        label_map(text)
