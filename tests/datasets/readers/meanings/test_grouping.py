"""Frames find their movie and shot by name, whatever the irregularities; nothing else is guessed."""

import pytest

from fer_core.datasets.readers.meanings.grouping import film_name, groups_and_clips
from fer_core.errors import DataError


@pytest.mark.parametrize(
    ("name", "movie", "time"),
    [
        ("AboutABoy_000919327_00000007.png", "AboutABoy", "000919327"),
        ("OceansThirteen-010619400_00000087.png", "OceansThirteen", "010619400"),
        ("IAmSam_013827920__00000055.png", "IAmSam", "013827920"),
        ("21_001010160_00000010.png", "21", "001010160"),
        ("v_001851280_00000031.png", "v", "001851280"),
        ("Grudge2_005102342_00000011.png", "Grudge2", "005102342"),
        ("Harry_Potter_1_005528520_00000026.png", "Harry_Potter_1", "005528520"),
        ("P_S_I_Love_You_010203040_00000001.PNG", "P_S_I_Love_You", "010203040"),
        ("Bend It Like Beckham_010203040_00000001.jpg", "Bend It Like Beckham", "010203040"),
        ("IAmSam 013827920 00000055.png", "IAmSam", "013827920"),
        ("IAmSam_013827920_00000055.png.png", "IAmSam", "013827920"),
        ("IAmSam_13827920_00000055.png", "IAmSam", "013827920"),
        ("IAmSam_013827920_0000055.png", "IAmSam", "013827920"),
        ("IAmSam013827920_00000055.png", "IAmSam", "013827920"),
        ("IAmSam__013827920-00000055 (1).png", "IAmSam", "013827920"),
        ("Copy of IAmSam_013827920_00000055.png", "IAmSam", "013827920"),
        ("IAmSam_013827920_00000055_aligned.png", "IAmSam", "013827920"),
    ],
)
def test_film_names_are_taken_apart(name: str, movie: str, time: str) -> None:
    assert film_name(name) == (movie, time)


@pytest.mark.parametrize(
    "name",
    [
        "001_08.jpg", "IMG_20200101_123456.jpg", "IMG_20200101_123456789.jpg", "PXL_20201231_235959123.jpg",
        "013827920_00000055.png", "_013827920_00000055.png", "S010_004_00000017.png", "DSC_0001.JPG", "happy.png",
        "", ".png",
    ],
)  # fmt: skip
def test_other_names_are_no_films(name: str) -> None:
    assert film_name(name) is None


def test_spellings_of_a_movie_join_under_the_commonest() -> None:
    expected = {
        "Angry/IAmSam_013827920_00000055.png": ("IAmSam", "IAmSam_013827920"),
        "Sad/iamsam_013827920_00000060.png": ("IAmSam", "IAmSam_013827920"),
        "Sad/I_Am_Sam-000311160_00000001.png": ("IAmSam", "IAmSam_000311160"),
        "Happy/IAmSam_012921760_00000084.png": ("IAmSam", "IAmSam_012921760"),
        "Happy/Grudge2_005102342_00000011.png": ("Grudge2", "Grudge2_005102342"),
        "Happy/Grudge3_001148800_00000027.png": ("Grudge3", "Grudge3_001148800"),
        "Happy/notes 1.png": ("", "Happy/notes 1.png"),
    }
    assert groups_and_clips(list(expected)) == list(expected.values())


def test_a_pattern_says_what_names_do_not() -> None:
    names = ["happy/012_08.jpg", "sad/013_01.jpg", "sad/IAmSam_013827920_00000055.png"]
    assert [group for group, _ in groups_and_clips(names)] == ["", "", "IAmSam"]
    assert [group for group, _ in groups_and_clips(names, r"/(\d{3})_")] == ["012", "013", ""]
    assert groups_and_clips(names[:1], r"(?P<clip>(?P<group>\d+)_\d+)") == [("012", "012_08")]
    assert groups_and_clips(names[:1], r"(happy|sad)/(?P<group>\d+)") == [("012", names[0])]


@pytest.mark.parametrize("pattern", ["(", r"\d+_", ""])
def test_a_pattern_without_a_group_is_refused(pattern: str) -> None:
    with pytest.raises(DataError, match="group in brackets"):
        groups_and_clips(["a.png"], pattern)
