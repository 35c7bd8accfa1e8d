"""What must not straddle a fold: the movie and shot that an image's name says.

SFEW and AFEW name their frames `Movie_HHMMSScc0_FFFFFFFF.png` (Dhall et al. 2011, 2012): time stamp of the
shot in the movie, then number of the frame in the shot. Some names are irregular (`OceansThirteen-010619400_
00000087.png`, `IAmSam_013827920__00000055.png`), so separators, spaces, case and a lost zero are forgiven.
"""

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from functools import lru_cache
from posixpath import splitext
from typing import Any

from fer_core.config.patterns import Pattern
from fer_core.datasets.pictures.image_files import has_image_suffix
from fer_core.errors import DataError

#: What a cell says where a person, movie, shot or split is not known, case aside.
MISSING = frozenset(
    {
        *("", "nan", "na", "n/a", "n.a", "#n/a", "<na>", "none", "null", "nil", "unknown", "missing"),
        *("undefined", "?", "??", "-", "--", "_", "not available", "not known"),
    }
)

#: Characters of a name that are looked at: no file system has longer ones, but a cell of a table may.
MOST_NAME = 255

# 8 or 9 digits of time and 7 to 9 of frame: a zero may have got lost at the front of either. Frame numbers stay
# far below 100 000, which keeps date-and-time names of phone cameras (IMG_20200101_123456789) out.
_FILM = re.compile(
    r"(?:copy of )?(?P<movie>\S.*?)[\s_.-]*(?<!\d)(?P<time>\d{8,9})[\s_.-]+0{2,4}\d{5}(?:\D.*)?",
    re.IGNORECASE | re.DOTALL,
)


@lru_cache(1 << 16)  # readers, groups and the audit ask of the same names
def film_name(file_name: str) -> tuple[str, str] | None:
    """Return movie as spelled and nine-digit time stamp of the shot; None if the name is no film frame's.

    Args:
        file_name: a path's last part, with extension.
    """
    stem = file_name[:MOST_NAME]
    while has_image_suffix(stem):  # 'x.png.png' is met as well
        stem = splitext(stem)[0]
    found = _FILM.fullmatch(stem.strip())
    if found is None:
        return None
    movie = found["movie"].strip(" _.-")
    return (movie, found["time"].zfill(9)) if movie else None


def groups_and_clips(names: Sequence[str], pattern: str | None = None) -> list[tuple[str, str]]:
    """Return group and clip of every image from its name.

    With a `pattern` the group is what it finds, and "" where it finds nothing. It is searched in the files' own
    names, and in whole paths only where it is in no file's name: folders of classes have numbers too. Without one
    the group is the movie where the name is a film frame's, and "" everywhere else: nothing else is guessed, so
    images of unknown group count as a group each. Movies are the same when their letters and digits are, whatever
    case and separators; the commonest spelling names them all.

    Args:
        names: paths inside the data set, with forward slashes.
        pattern: a regular expression; its group 'group' or, failing that, its first group is the image's group,
            its group 'clip' (optional) the clip.

    Returns:
        (group, clip) a name; the clip is the name itself where nothing is known.

    Raises:
        DataError: the pattern is no regular expression, has no group, or is found in no name.
    """
    if pattern is not None:
        return _by_pattern(compiled(pattern, GROUP), names)
    films = [film_name(name.rpartition("/")[2]) for name in names]
    movies = one_spelling([film[0] if film else "" for film in films], _movie_key)
    return [
        (movie, f"{movie}_{film[1]}" if film else name)
        for name, film, movie in zip(names, films, movies, strict=True)
    ]


def known(cell: str) -> str:
    """Return a cell that names a person, movie or shot; "" where it says that none is known."""
    return "" if cell.strip(" .").casefold() in MISSING else cell


def persons(cells: Sequence[str]) -> list[str]:
    """Return the groups that a column names: Anna, anna and ANNA are one, and nan or ? are nobody."""
    return one_spelling([known(cell) for cell in cells], _person_key)


def one_spelling(texts: Sequence[str], key: Callable[[str], str]) -> list[str]:
    """Return each text as it is spelled most often among those of the same key; "" stays."""
    spellings: dict[str, Counter[str]] = defaultdict(Counter)
    keys = {text: key(text) for text in set(texts)}
    for text, count in Counter(texts).items():
        spellings[keys[text]][text] += count
    best = {key: min(counts, key=lambda text: (-counts[text], text)) for key, counts in spellings.items()}
    return [best[keys[text]] if text else "" for text in texts]


def found_by(pattern: Pattern, names: Sequence[str]) -> list[Any]:
    """Return what a pattern finds in each file's own name, or in each path where no file's name has it."""
    found = [pattern.search(name.rpartition("/")[2]) for name in names]
    return found if any(found) else [pattern.search(name) for name in names]


def _movie_key(movie: str) -> str:
    letters = "".join(letter for letter in movie.casefold() if letter.isalnum())
    return letters or movie


def _person_key(person: str) -> str:
    return (
        " ".join(re.split(r"[\s_]+", unicodedata.normalize("NFKC", person).casefold())).strip(" .") or person
    )


def _by_pattern(pattern: Pattern, names: Sequence[str]) -> list[tuple[str, str]]:
    found = found_by(pattern, names)
    if names and not any(found):
        raise DataError(
            "A group pattern must be found in the images' names",
            got=f"{pattern.pattern!r}, which is in none of {len(names)}, such as {names[0]}",
            fix=GROUP[1],
        )
    return [
        (
            known((match.groupdict().get("group") or match[1] or "").strip()),
            match.groupdict().get("clip") or name,
        )
        if match
        else ("", name)
        for match, name in zip(found, names, strict=True)
    ]


def compiled(pattern: str, what: tuple[str, str]) -> Pattern:
    """Return a pattern that has a group in brackets.

    Raises:
        DataError: it is no regular expression, or has no group.
    """
    rule = f"A {what[0]} pattern must be a regular expression with a group in brackets"
    try:
        found = Pattern(pattern)
    except ValueError as error:
        raise DataError(rule, got=f"{pattern!r} ({error})", fix=what[1]) from error
    if found.groups == 0:
        raise DataError(rule, got=repr(pattern), fix=what[1])
    return found


#: What a pattern finds, and what to write.
GROUP = ("group", r"For 012_08.jpg of person 012: ^(\d+)_")
LABEL = ("label", r"For S01_happy_3.jpg: ^(?P<group>S\d+)_(?P<label>[a-z]+)")
