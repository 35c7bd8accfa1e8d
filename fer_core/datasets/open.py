"""One door to every data set: a path or 'demo' in, samples out."""

import tarfile
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from PIL import Image

from fer_core.config.reading import AS_IT_IS, Reading
from fer_core.config.regular_files import RULE, inside, opened, require_inside
from fer_core.datasets.pictures.image_files import is_image
from fer_core.errors import DataError

from .base import GENERATED_NOTICE, Dataset, Problem, Progress, readable
from .generated.movie_plan import demo_folder
from .pictures.parts import file_of
from .readers.csv_table import CSV
from .readers.feature_table import TABLE
from .readers.generated import GENERATED, marked, read_generated
from .readers.image_folder import PATH
from .readers.layout import Layout, Source
from .readers.meanings.labels import label_map
from .readers.published.affectnet import AFFECTNET
from .readers.published.affwild2 import AFFWILD2
from .readers.published.by_name import PATTERNS, by_name
from .readers.published.ck import CK
from .readers.published.expw import EXPW
from .readers.published.fer2013 import FER2013, FERPLUS
from .readers.published.hugging_face import IMAGE_FOLDER
from .readers.published.rafdb import RAFDB
from .readers.published.sfew import SFEW1, SFEW2

#: The source that stands for the generated set.
DEMO = "demo"

#: Every layout by name; under 'auto' the first that recognises a path reads it. A new one is a reader and a row.
LAYOUTS: dict[str, Layout] = {
    "table": TABLE,
    "generated": GENERATED,
    "imagefolder": IMAGE_FOLDER,
    "rafdb": RAFDB,
    "ferplus": FERPLUS,
    "fer2013": FER2013,
    "affectnet": AFFECTNET,
    "ck": CK,
    "expw": EXPW,
    "affwild2": AFFWILD2,
    "csv": CSV,
    **{name: by_name(name) for name in ("names", *PATTERNS)},
    "sfew2": SFEW2,
    "sfew1": SFEW1,
    "folder": Layout(lambda source: True, lambda source: source.tree),
}


def open_dataset(
    source: str | Path,
    *,
    layout: str = "auto",
    reading: Reading = AS_IT_IS,
    demo_root: Path | None = None,
    progress: Progress | None = None,
    roots: Sequence[Path] = (),
) -> Dataset:
    """Open a data set by its path, or the generated one.

    With layout 'auto' an .xlsx is a feature table and any other file a CSV of images; a folder with
    SYNTHETIC.txt and frames.csv is a generated set; published data sets are known by the names of their lists, folders
    and files (`readers.published`); a tree of class folders is SFEW 2.0 or SFEW 1 when most of
    its images are named as film frames are (2.0 with train, validation or test folders), and plain folders
    otherwise, their splits kept.

    Args:
        source: 'demo', or the path of a folder or CSV file.
        layout: 'auto' or one of `LAYOUTS`.
        reading: what is declared of labels, groups, columns and the like.
        demo_root: where the generated set lies or is made (the settings' `demo_data`); needed for 'demo' alone.
        roots: folders that the path and every image must lie in, links followed (the settings' `data_roots`);
            none allows any. Images that a link leads out of them are problems of the data set.

    Raises:
        DataError: there is no such thing, it lies outside the allowed folders, or no labelled image is in it;
            the message says what to do.
    """
    label_map(reading.label_map)
    if layout not in ("auto", *LAYOUTS):
        raise DataError(f"The layout must be auto, {', '.join(LAYOUTS)}", got=repr(layout))
    if str(source) == DEMO:
        if demo_root is None:
            raise DataError("The generated data set must have a place", fix="Give demo_root")
        return _demo(demo_root, progress).without(reading.exclude or ())
    if not str(source).strip():
        raise DataError(PATH, got="an empty path", fix=f"Or use {DEMO!r}")
    if readable(str(source)) != str(source):
        raise DataError(
            "A data set's path must be valid UTF-8",
            got=repr(readable(str(source))),
            fix="Rename its folder or file",
        )
    try:
        path = Path(source).expanduser()
        require_inside(path, roots)
        if reading.image_root:
            require_inside(Path(reading.image_root).expanduser(), roots, what="A folder of images")
        if layout in ("auto", "csv"):
            refuse_other_files(path)
        asked = Source(path, reading)
        rows = LAYOUTS.values() if layout == "auto" else [LAYOUTS[layout]]
        reader = next(row for row in rows if layout != "auto" or row.recognises(asked))
        dataset = _inside(reader.read(asked), roots)
        generated = dataset.generated or marked(path) or _drawn(dataset)
        return replace(dataset, generated=generated, reading=reading).without(reading.exclude or ())
    except (OSError, RuntimeError) as error:  # a name too long, a folder without access, no such ~user
        raise DataError(
            "A data set's path must lead to something that can be read", got=f"{source} ({error})"
        ) from error


def _inside(dataset: Dataset, roots: Sequence[Path]) -> Dataset:
    """Return a data set without the images that links lead out of the folders; each becomes a problem."""
    if not roots:
        return dataset
    real = [root.resolve() for root in roots]
    out = [one for one in dataset.samples if not inside(one.path, real)]
    if out and len(out) == len(dataset):
        raise DataError(
            RULE.format(what="A data set"), got=f"{dataset.source}, whose images are all links out of it"
        )
    left = {sample.name for sample in out}
    return replace(
        dataset,
        samples=tuple(sample for sample in dataset.samples if sample.name not in left),
        problems=(
            *dataset.problems,
            *(Problem(name, "a link leads out of the allowed folders") for name in sorted(left)),
        ),
    )


def _drawn(dataset: Dataset) -> bool:
    """Return whether one of a few images, spread over the set, says that this project drew it."""
    for sample in dataset.samples[:: max(1, len(dataset) // 8)]:
        try:
            with opened(file_of(sample.path)) as file, Image.open(file) as image:
                if image.info.get("Comment") == GENERATED_NOTICE:
                    return True
        except (OSError, DataError, ValueError, Image.DecompressionBombError):
            continue  # the audit says what is wrong with it
    return False


def _demo(root: Path, progress: Progress | None) -> Dataset:
    from .generated.frames import GeneratedConfig, generate  # draws with scipy: only where a set is needed

    folder = generate(GeneratedConfig(), demo_folder(root), progress=progress)
    return replace(read_generated(Source(folder)), name="Generated faces", source=DEMO)


_VIDEOS = (".mp4", ".avi", ".mov", ".mkv", ".webm", ".mpg", ".mpeg", ".wmv", ".m4v")
_PACKED = (".gz", ".bz2", ".xz", ".zst", ".rar", ".7z")


def refuse_other_files(path: Path) -> None:
    """Check that a file may be a table.

    Raises:
        DataError: it is an archive, an image, a video or a list in another format; the fix is what to do with it.
    """
    if not path.is_file() or path.suffix.lower() == ".xlsx":
        return
    suffix = path.suffix.lower()
    if suffix in _PACKED or zipfile.is_zipfile(path) or tarfile.is_tarfile(path):
        what, fix = "an archive", "Unpack it first, then give the folder"
    elif suffix in _VIDEOS:
        fix = "Save its frames as images (ffmpeg -i x.mp4 frames/%06d.png), then list or sort them"
        what = "a video"
    elif is_image(path):
        fix = "Give the folder of all images; to classify one image: python -m fer_core predict"
        what = "one image"
    elif suffix in (".json", ".parquet", ".arrow", ".npz", ".h5", ".mat", ".tfrecord", ".xls", ".ods"):
        what, fix = f"a {suffix} file", "Save it as CSV with the columns path,label and give that"
    else:
        return
    raise DataError(PATH, got=f"{what}, {path}", fix=fix)
