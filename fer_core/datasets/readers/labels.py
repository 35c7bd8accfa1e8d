"""What people call the seven classes, and which of them a label means."""

from __future__ import annotations

import re
import unicodedata

from fer_core.config.run import CLASSES
from fer_core.errors import DataError

#: Other accepted names of each class, case aside.
ALIASES: dict[str, str] = {
    "anger": "angry",
    "angriness": "angry",
    "disgusted": "disgust",
    "disgusting": "disgust",
    "fearful": "fear",
    "afraid": "fear",
    "scared": "fear",
    "happiness": "happy",
    "joy": "happy",
    "joyful": "happy",
    "neutrality": "neutral",
    "neutralness": "neutral",
    "sadness": "sad",
    "surprised": "surprise",
    "surprising": "surprise",
}

#: Ways to number the classes, in the order of `CLASSES`, and the number of the first.
CODES: dict[str, int] = {"0-6": 0, "1-7": 1}

_INDEX = {name: index for index, name in enumerate(CLASSES)}
_INDEX |= {alias: _INDEX[name] for alias, name in ALIASES.items()}
_NUMBER = re.compile(r"(\d+)(\.0+)?")
_NUMBERED_NAME = re.compile(r"\d+[\s_.-]*(?=[a-z])")


def parse_label(text: str, *, codes: str | None = None) -> int | None:
    """Return the class that a label means as an index into `CLASSES`, or None if it means none.

    Names count whatever their case, with the usual aliases and with a number before them ('3_Happy': the
    name decides). Bare numbers count only when `codes` says how: data sets number these classes differently
    (in RAF-DB 1 is surprise), so they are never guessed.

    Args:
        text: a folder's name or a cell ('Anger', ' SAD ', '4', '4.0').
        codes: '0-6' or '1-7' in the order of `CLASSES`, or None when labels are names.

    Raises:
        DataError: the label is a number and `codes` is None, or `codes` is neither of the two.
    """
    word = unicodedata.normalize("NFKC", text).strip().casefold()
    number = _NUMBER.fullmatch(word)
    if number is None:
        return _INDEX.get(_NUMBERED_NAME.sub("", word, count=1))
    first = first_code(codes)
    if first is None:
        raise DataError(
            "Numeric labels need their codes declared",
            got=repr(text),
            fix=f"Declare label codes 0-6 or 1-7 (--label-codes), counting in the order {', '.join(CLASSES)}; "
            "or use the classes' names",
        )
    index = int(number[1]) - first
    return index if 0 <= index < len(CLASSES) else None


def is_number(text: str) -> bool:
    """Return whether a label is a bare number, which means nothing until its codes are declared."""
    return _NUMBER.fullmatch(unicodedata.normalize("NFKC", text).strip()) is not None


def first_code(codes: str | None) -> int | None:
    """Return the number of the first class under `codes`, None where numbers aren't labels.

    Raises:
        DataError: `codes` is no known way to number the classes.
    """
    if codes is None:
        return None
    if codes not in CODES:
        raise DataError(
            "Label codes must be 0-6 or 1-7", got=repr(codes), fix="Leave them out for class names"
        )
    return CODES[codes]
