"""Which split a folder's name or a cell means."""

import re

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
