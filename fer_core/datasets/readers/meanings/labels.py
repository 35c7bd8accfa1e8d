"""What people call the seven classes and the splits, how data sets number them, and what a label or folder means."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from fer_core.config.reading import pairs
from fer_core.config.run import CLASSES
from fer_core.errors import DataError

#: Names of splits, case and separators aside. 'eval' and 'holdout' are test sets, as Hugging Face's datasets has them;
#: the two public sets of the FER2013 challenge served as validation and test.
SPLITS: dict[str, str] = {
    **dict.fromkeys(("train", "training", "trn"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "validate", "dev", "publictest"), "validation"),
    **dict.fromkeys(
        ("test", "testing", "tst", "privatetest", "eval", "evaluation", "holdout", "heldout"), "test"
    ),
    "set1": "set1",
    "set2": "set2",
}

#: Words that may stand around a split in a name: Train_Aligned_Faces, faces_train, trainset, FER2013Valid.
_FILLER = (
    "(?:aligned|cropped|data|emotions|emotion|expressions|expression|faces|face|folder|frames|frame|images|image|imgs|img|"
    "new|original|photos|pictures|samples|set|split|sfew2|sfew|fer2013|ferplus|fer|rafdb|raf|affectnet|expw)*"
)
_NAME = re.compile(f"{_FILLER}({'|'.join(sorted(SPLITS, key=len, reverse=True))}){_FILLER}")


def parse_split(text: str) -> str | None:
    """Return the split that a folder's name or a cell means, None if it means none."""
    found = _NAME.fullmatch("".join(re.split(r"[\W_]+", text.casefold())))
    return SPLITS[found[1]] if found else None


#: Other accepted names of each class, case aside.
ALIASES: dict[str, str] = {
    **dict.fromkeys(("anger", "angriness"), "angry"),
    **dict.fromkeys(("disgusted", "disgusting"), "disgust"),
    **dict.fromkeys(("fearful", "afraid", "scared"), "fear"),
    **dict.fromkeys(("happiness", "joy", "joyful"), "happy"),
    **dict.fromkeys(("neutrality", "neutralness"), "neutral"),
    "sadness": "sad",
    **dict.fromkeys(("surprised", "surprising"), "surprise"),
}

#: What data sets also label and this project does not learn; such images are left out and counted under its name.
LEFT_OUT = (
    *("contempt", "other", "none", "uncertain", "no-face", "unknown", "tie", "valence"),
    *("contemptuous", "compound", "unlabelled"),
)

#: How data sets number or abbreviate their labels, each as its authors publish it.
LABEL_MAPS: dict[str, str] = {
    # Goodfellow et al. 2013, the challenge's fer2013.csv
    "fer2013": "0=angry,1=disgust,2=fear,3=happy,4=sad,5=surprise,6=neutral",
    # Barsoum et al. 2016: the order of the columns of fer2013new.csv
    "ferplus": "0=neutral,1=happy,2=surprise,3=sad,4=angry,5=disgust,6=fear,7=contempt,8=unknown,9=no-face",
    # Li, Deng, Du 2017, basic
    "rafdb": "1=surprise,2=fear,3=disgust,4=happy,5=sad,6=angry,7=neutral",
    # Mollahosseini et al. 2017
    "affectnet": "0=neutral,1=happy,2=sad,3=surprise,4=fear,5=disgust,6=angry,7=contempt,8=none,9=uncertain,10=no-face",
    # Lucey et al. 2010
    "ck": "0=neutral,1=angry,2=contempt,3=disgust,4=fear,5=happy,6=sad,7=surprise",
    # Zhang, Luo, Loy, Tang 2018
    "expw": "0=angry,1=disgust,2=fear,3=happy,4=sad,5=surprise,6=neutral",
    # Kollias 2022: the header of each annotation
    "affwild2": "0=neutral,1=angry,2=disgust,3=fear,4=happy,5=sad,6=surprise,7=other,-1=unlabelled",
    # Lyons et al. 1998; Lundqvist et al. 1998; Langner et al. 2010: parts of the files' names
    "jaffe": "an=angry,di=disgust,fe=fear,ha=happy,ne=neutral,sa=sad,su=surprise",
    "kdef": "an=angry,di=disgust,af=fear,ha=happy,ne=neutral,sa=sad,su=surprise",
    "rafd": "angry=angry,disgusted=disgust,fearful=fear,happy=happy,neutral=neutral,sad=sad,surprised=surprise,"
    "contemptuous=contempt",
    # Dhall et al. 2011: 1-7 in alphabetical order; 'ours' is the same from 0
    "sfew": ",".join(f"{number}={name}" for number, name in enumerate(CLASSES, 1)),
    "ours": ",".join(f"{number}={name}" for number, name in enumerate(CLASSES)),
}

_INDEX = {name: index for index, name in enumerate(CLASSES)}
_INDEX |= {alias: _INDEX[name] for alias, name in ALIASES.items()}
_NUMBER = re.compile(r"([+-]?\d+)(\.0*)?(e[+]?00)?")
_NUMBERED_NAME = re.compile(r"\d+[\s_.-]*(?=[a-z])")


@dataclass(frozen=True)
class LabelMap:
    """What labels that are no class's name mean: label -> a class, or a word of `LEFT_OUT`."""

    name: str
    meanings: Mapping[str, str]

    def __contains__(self, label: str) -> bool:
        """Return whether the map says what a label means."""
        return _key(plain(label)) in self.meanings

    def __str__(self) -> str:
        """Return the map as it can be declared, its name before it."""
        text = ",".join(f"{label}={meaning}" for label, meaning in self.meanings.items())
        return f"{self.name}: {text}" if self.name != text else text


@cache
def label_map(text: str | None) -> LabelMap | None:
    """Return a label map by its name, or as its pairs say (4=sad,5=surprise); None where none is declared.

    Raises:
        DataError: there is no map of this name, or a pair names no class; the message lists the maps.
    """
    if text is None:
        return None
    named = LABEL_MAPS.get(text.strip().casefold())
    found = {plain(label): plain(meaning) for label, meaning in pairs(named or text).items()}
    found = {_key(label): ALIASES.get(meaning, meaning) for label, meaning in found.items()}
    wrong = next((meaning for meaning in found.values() if meaning not in (*CLASSES, *LEFT_OUT)), None)
    if wrong is not None or not found:
        raise DataError(
            "A label map must be a name, or pairs of a label and a class",
            got=repr(text) + (f", where {wrong!r} is no class" if wrong else ""),
            fix=f"Names: {', '.join(LABEL_MAPS)}. Pairs: 4=sad,5=surprise, with {', '.join(CLASSES)} or, "
            f"for what is left out, {', '.join(LEFT_OUT[:2])}",
        )
    return LabelMap(text.strip().casefold() if named else text.strip(), found)


def meaning(text: str, labels: LabelMap | None = None) -> int | str:
    """Return the class that a label means as an index into `CLASSES`, or in words why it means none.

    What a map says counts first. Names count whatever their case, invisible characters and quotes around them,
    with the usual aliases and with a number before them ('3_Happy': the name decides). Bare numbers mean nothing
    without a map: data sets number these classes differently (in RAF-DB 1 is surprise), so they are never guessed.

    Args:
        text: a folder's name or a cell ('Anger', ' SAD ', '4', '4.0').
        labels: the data set's map, or None when labels are names.
    """
    word = plain(text)
    said = labels.meanings.get(_key(word)) if labels else None
    if said is None:
        if is_number(word):
            if labels is None:
                return f"label {text!r} is a number, and no label map says what it means"
            return f"label {text!r} is not in the label map {labels.name}"
        said = _NUMBERED_NAME.sub("", word, count=1)
    index = _INDEX.get(said)
    if index is not None:
        return index
    if said in LEFT_OUT:
        means = "" if said == word else f" means {said},"
        return f"label {text!r}{means or ','} which is none of the seven classes"
    return f"unknown label {text!r}" + ("" if text.isascii() else f" ({text!a})")


def plain(text: str) -> str:
    """Return a label as it is compared: no case, no invisible characters, no quotes or stops around it."""
    word = "".join(letter for letter in text if unicodedata.category(letter) != "Cf")
    return unicodedata.normalize("NFKC", word).strip(" \t\n\r.,;:'\"“”‘’`´").casefold()


def is_number(text: str) -> bool:
    """Return whether a label is a bare number, which means nothing until a label map is declared."""
    return _NUMBER.fullmatch(plain(text)) is not None


def numbers_without_map(where: str, example: str) -> DataError:
    """Return the error that numeric labels need a declared map."""
    return DataError(
        "Labels that are numbers need a label map",
        got=f"{example!r} in {where}",
        fix=f"Declare whose numbers they are with --label-map NAME ({', '.join(LABEL_MAPS)}), or what each means: "
        "--label-map 4=sad,5=surprise",
    )


def _key(word: str) -> str:
    """Return a number without its zeros, any other word as it is."""
    number = _NUMBER.fullmatch(word)
    return str(int(number[1])) if number else word
