"""What must not straddle a fold: the movie and shot that an image's name says.

SFEW and AFEW name their frames `Movie_HHMMSScc0_FFFFFFFF.png` (Dhall et al. 2011, 2012): time stamp of the
shot in the movie, then number of the frame in the shot. Some names are irregular (`OceansThirteen-010619400_
00000087.png`, `IAmSam_013827920__00000055.png`), so separators, spaces, case and a lost zero are forgiven.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import PurePosixPath

from fer_core.config.patterns import Pattern
from fer_core.errors import DataError

#: Extensions that make a file an image, whatever it holds.
IMAGE_SUFFIXES = frozenset(
    {
        *(".avif", ".bmp", ".gif", ".heic", ".heif", ".jfif", ".jpe", ".jpeg", ".jpg", ".jp2"),
        *(".pbm", ".pgm", ".png", ".ppm", ".tga", ".tif", ".tiff", ".webp"),
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


def film_name(file_name: str) -> tuple[str, str] | None:
    """Return movie as spelled and nine-digit time stamp of the shot; None if the name is no film frame's.

    Args:
        file_name: a path's last part, with extension.
    """
    stem = PurePosixPath(file_name[:MOST_NAME])
    while stem.suffix.lower() in IMAGE_SUFFIXES:  # 'x.png.png' is met as well
        stem = stem.with_suffix("")
    found = _FILM.fullmatch(stem.name.strip())
    if found is None:
        return None
    movie = found["movie"].strip(" _.-")
    return (movie, found["time"].zfill(9)) if movie else None


def groups_and_clips(names: Sequence[str], pattern: str | None = None) -> list[tuple[str, str]]:
    """Return group and clip of every image from its name.

    With a `pattern` the group is what it finds, and "" where it finds nothing. Without one it is the movie
    where the name is a film frame's, and "" everywhere else: nothing else is guessed, so images of unknown
    group count as a group each. Movies are the same when their letters and digits are, whatever case and
    separators; the commonest spelling names them all.

    Args:
        names: paths inside the data set, with forward slashes.
        pattern: a regular expression searched in the whole name; its group 'group' or, failing that, its
            first group is the image's group, its group 'clip' (optional) the clip.

    Returns:
        (group, clip) a name; the clip is the name itself where nothing is known.

    Raises:
        DataError: the pattern is no regular expression or has no group.
    """
    if pattern is not None:
        compiled = _compiled(pattern)
        return [_by_pattern(compiled, name) for name in names]
    films = [film_name(name.rpartition("/")[2]) for name in names]
    spellings: dict[str, Counter[str]] = defaultdict(Counter)
    for film in films:
        if film:
            spellings[_movie_key(film[0])][film[0]] += 1
    best = {key: min(counts, key=lambda text: (-counts[text], text)) for key, counts in spellings.items()}
    found = []
    for name, film in zip(names, films, strict=True):
        movie = best[_movie_key(film[0])] if film else ""
        found.append((movie, f"{movie}_{film[1]}" if film else name))
    return found


def _movie_key(movie: str) -> str:
    letters = "".join(letter for letter in movie.casefold() if letter.isalnum())
    return letters or movie


def _by_pattern(pattern: Pattern, name: str) -> tuple[str, str]:
    match = pattern.search(name)
    if match is None:
        return "", name
    named = match.groupdict()
    group = named["group"] if "group" in named else match[1]
    return (group or "").strip(), named.get("clip") or name


def _compiled(pattern: str) -> Pattern:
    rule = "A group pattern must be a regular expression with a group in brackets"
    fix = r"For 012_08.jpg of person 012: (\d+)_"
    try:
        compiled = Pattern(pattern)
    except ValueError as error:
        raise DataError(rule, got=f"{pattern!r} ({error})", fix=fix) from error
    if compiled.groups == 0:
        raise DataError(rule, got=repr(pattern), fix=fix)
    return compiled
