"""CK+ (Lucey et al. 2010): sequences from neutral to the peak, each labelled by a file of its last frame.

cohn-kanade-images/S005/001/S005_001_00000011.png and Emotion/S005/001/S005_001_00000011_emotion.txt. The peak frame is
the sample, the subject its group, the sequence its clip; all others are left out. No sequence is labelled neutral.
"""

from collections.abc import Iterator

from fer_core.datasets.base import Dataset, Problem
from fer_core.datasets.pictures.image_files import walk
from fer_core.datasets.readers.layout import Layout, Source
from fer_core.datasets.readers.listing import Row, assemble, is_folder_with, text_lines, there

_IMAGES = ("cohn-kanade-images", "extended-cohn-kanade-images/cohn-kanade-images")
_LABELS = ("Emotion", "Emotion_labels/Emotion", "Emotion_labels")


def _read(source: Source) -> Dataset:
    root = source.path.absolute()
    images, labels = there(root, *_IMAGES) or root, there(root, *_LABELS) or root

    def rows() -> Iterator[Row | Problem]:
        problems: list[Problem] = []
        written = {file.name.removesuffix("_emotion.txt"): file for file in labels.rglob("*_emotion.txt")}
        sequences = {stem.rpartition("_")[0] for stem in written}
        for name, path in walk(images, problems):
            sequence = path.stem.rpartition("_")[0]
            whole = f"{images.relative_to(root).as_posix()}/{name}"
            if path.stem in written:
                (label, *_) = [*text_lines(written[path.stem]), ""]
                where = f"{written[path.stem].name} line 1"
                yield Row(where, whole, label.strip(), group=sequence.partition("_")[0], clip=sequence)
            else:
                known = sequence in sequences
                yield Problem(whole, "not the peak of its sequence" if known else "its sequence has no label")
        yield from problems

    return assemble(source, rows(), layout="ck", root=root, usual_map="ck", name="CK+")


CK = Layout(is_folder_with(*_IMAGES), _read)
