"""What is given as a data set and is none: a sentence that says what to do with it."""

import tarfile
import zipfile
from pathlib import Path

from fer_core.datasets.pictures.image_files import is_image
from fer_core.errors import DataError

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
        what, fix = (
            "a video",
            "Save its frames as images (ffmpeg -i x.mp4 frames/%06d.png), then list or sort them",
        )
    elif is_image(path):
        what, fix = (
            "one image",
            "Give the folder of all images; to classify one image: python -m fer_core predict",
        )
    elif suffix in (".json", ".parquet", ".arrow", ".npz", ".h5", ".mat", ".tfrecord", ".xls", ".ods"):
        what, fix = f"a {suffix} file", "Save it as CSV with the columns path,label and give that"
    else:
        return
    raise DataError("A data set's path must be a folder or a CSV file", got=f"{what}, {path}", fix=fix)
