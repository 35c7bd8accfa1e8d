"""Data sets that come twice, as whole frames and as aligned faces: one of them is chosen, never both."""

from collections import Counter
from dataclasses import replace

from fer_core.datasets.base import Dataset
from fer_core.datasets.readers.layout import Source
from fer_core.errors import DataError


def chosen(source: Source, dataset: Dataset) -> Dataset:
    """Return a data set's whole frames or its aligned faces: those declared, or those there are.

    A folder above an image says that it is aligned.

    Raises:
        DataError: both are there and none is declared, or what is declared isn't there.
    """
    kinds = {one.name: "aligned" in one.name.rpartition("/")[0].casefold() for one in dataset.samples}
    found, splits = Counter(kinds.values()), {(one.split, kinds[one.name]) for one in dataset.samples}
    wanted = source.reading.variant
    if wanted is None:
        if any((split, not kind) in splits for split, kind in splits):
            raise DataError(
                "Whole frames and aligned faces must not be mixed: they show the same faces",
                got=f"{found[False]} whole frames and {found[True]} aligned faces in {source.path}",
                fix="Choose one with --variant whole or --variant aligned",
            )
        if len(found) > 1:
            said = (
                f"Beside {found[False]} whole frames there are {found[True]} aligned faces, in other splits"
            )
            return replace(dataset, remarks=(*dataset.remarks, said))
        wanted = "aligned" if found[True] else "whole"
    faces = wanted == "aligned"
    if not found[faces]:
        raise DataError(
            f"A data set must have what was chosen with --variant {wanted}",
            got=f"none of it among {len(dataset)} images in {source.path}",
            fix=f"Choose --variant {'whole' if faces else 'aligned'}, or leave it out",
        )
    kept = tuple(sample for sample in dataset.samples if kinds[sample.name] == faces)
    what = "aligned faces" if faces else "whole frames"
    other = f"; {found[not faces]} others are not read" if found[not faces] else ""
    more = [f"The images are {what}{other}"] if faces or other else []
    return replace(dataset, samples=kept, remarks=(*dataset.remarks, *more))
