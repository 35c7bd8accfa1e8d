"""What was published for a demo, as the demo reads it: which data sets, whose pictures, what there is to try.

A published folder is like FER_HOME, and only read: the database of the runs, their networks, and `PUBLISHED`, which
says what of their data sets is shown.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter, ValidationError

from fer_core.config.settings import PUBLISHED
from fer_core.datasets.base import Dataset
from fer_core.errors import DataError, StoreError

#: Stands for the pictures to try, where a data set is named by its source.
SAMPLES = "samples to try"


@dataclass(frozen=True)
class Published:
    """What a published folder shows.

    Attributes:
        data: its data sets by what runs call their source; the images of one that is not `pictured` have no file.
        pictured: the sources whose pictures are in the folder.
        samples: pictures for visitors to try, none where `data`'s own serve; a sample's `group` is the source of the
            data set it was taken from and `written` its label there, both '' for a picture from elsewhere.
    """

    version: Literal[1]
    data: dict[str, Dataset]
    pictured: tuple[str, ...]
    samples: Dataset

    def opened(self, source: str) -> Dataset:
        """Return a data set, or the pictures to try, by its source. Raises DataError."""
        found = {**self.data, SAMPLES: self.samples}.get(source)
        if found is None:
            raise DataError("A demo shows the data sets that were published", got=repr(source))
        return found


DOCUMENT = TypeAdapter(Published)


def read_published(folder: Path) -> Published:
    """Return what a folder shows, its pictures' paths made absolute.

    Raises:
        StoreError: it holds no such document, or one of another version.
    """
    try:
        found = DOCUMENT.validate_json((folder / PUBLISHED).read_bytes())
    except (OSError, ValidationError) as error:
        raise StoreError(
            f"What was published must be a folder with a {PUBLISHED} of version 1",
            got=str(folder),
            fix="Publish the runs again with this version of FER Lab",
        ) from error
    data = {source: _placed(one, folder) for source, one in found.data.items()}
    return replace(found, data=data, samples=_placed(found.samples, folder))


def _placed(data: Dataset, folder: Path) -> Dataset:
    samples = tuple(replace(sample, path=folder / sample.path) for sample in data.samples)
    return replace(data, root=folder / data.root, samples=samples)
