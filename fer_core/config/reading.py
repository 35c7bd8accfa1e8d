"""How a data set's files are to be read, as far as it was declared: stored with a run, never hashed."""

from typing import Any, Literal

from .base import Config, where


class Reading(Config):
    """What people declare of a data set; what its labels and groups become is in its fingerprint.

    Attributes:
        label_map: a label map's name, or pairs such as 4=sad,5=surprise.
        label_pattern: a regular expression that finds the label (its group 'label' or first) in a file's name, or
            jaffe, kdef, rafd; it may name a 'group' and a 'clip' as well.
        group_pattern: a regular expression that finds the movie or person in a file's name or, failing that, path.
        image_root: the folder that paths in a list are relative to, where it isn't the list's own.
        columns: which column of a list is which, such as path=img,label=emo.
        variant: of a data set that comes twice, its whole frames or its aligned faces.
        exclude: names of frames that are left out; on the command line also .txt files with a name on each line.
    """

    label_map: str | None = where(None)
    label_pattern: str | None = where(None)
    group_pattern: str | None = where(None)
    image_root: str | None = where(None)
    columns: str | None = where(None)
    variant: Literal["whole", "aligned"] | None = where(None)
    exclude: tuple[str, ...] | None = where(None)

    def declared(self) -> dict[str, Any]:
        """Return the fields that were given."""
        return self.model_dump(mode="json", exclude_none=True)


#: Nothing declared: what names and files say.
AS_IT_IS = Reading()


def pairs(text: str) -> dict[str, str]:
    """Return what 'a=b, c=d' says, blanks aside; a part without = is its own empty value."""
    parts = (part.partition("=") for part in text.split(",") if part.strip())
    return {name.strip(): value.strip() for name, _, value in parts}
