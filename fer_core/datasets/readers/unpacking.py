"""A data set that was sent as a zip, unpacked into a folder of its own: images and lists, nothing else."""

import hashlib
import shutil
import tempfile
import time
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from fer_core.datasets.pictures.image_files import has_image_suffix, is_image, of_the_system
from fer_core.errors import DataError
from fer_core.storage.artifacts import require_room
from fer_core.storage.zips import BROKEN, distrusted, open_zip

from .meanings.labels import is_number, meaning, parse_split

#: What readers open besides images.
LISTS = (".csv", ".tsv", ".txt", ".lst", ".jsonl", ".npy", ".xlsx")

#: Files that a data set may have, and bytes of its zip's directory: only those who may start runs can send one.
MOST_FILES, MOST_DIRECTORY = 100_000, 16 << 20

CHUNK = 1 << 20

#: What is half unpacked and older than this is left of a process that was killed.
TORN_SECONDS = 3600.0

#: Folders in all, and above a file: what is deeper can't be deleted by recursion.
MOST_FOLDERS, MOST_DEPTH = 10_000, 16
DEEP = f"it lies more than {MOST_DEPTH} folders deep"

_RULE = "A data set's zip must be one that can be unpacked safely"
_FIX = "Unpack it on the machine that runs FER Lab, and give the folder's path"


def unpack(file: BinaryIO, folder: Path, most: int) -> tuple[Path, int]:
    """Unpack a zip below a folder, under a name that its content decides; the same zip again is what is there.

    Args:
        folder: made where it isn't there.
        most: bytes that all its files together may have.

    Returns:
        The folder that holds the data set, and how many files were left out: neither images nor lists.

    Raises:
        DataError: a damaged zip, too many files or bytes, or one that leads elsewhere; nothing stays of it.
    """
    file.seek(0)
    digest = hashlib.file_digest(file, "sha256")  # type: ignore[arg-type]
    target = folder / digest.hexdigest()[:16]
    left = target / ".left-out"
    if not target.exists():
        folder.mkdir(parents=True, exist_ok=True)
        for torn in folder.glob(".*"):  # by a kill: what is being unpacked is seconds old
            with suppress(FileNotFoundError):  # another has ended meanwhile
                if time.time() - torn.stat().st_mtime > TORN_SECONDS:
                    shutil.rmtree(torn, ignore_errors=True)
        partial = Path(tempfile.mkdtemp(prefix=".", dir=folder))
        try:
            (partial / left.name).write_text(str(_unpacked(file, partial, most)), encoding="ascii")
            partial.rename(target)
        except (*BROKEN, OSError) as error:
            said = getattr(error, "strerror", "") or str(error) or type(error).__name__
            raise DataError(_RULE, got=said, fix=_FIX) from error
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    place = target
    while len(inside := [one for one in place.iterdir() if one != left]) == 1 and _wraps(inside[0]):
        place = inside[0]
    return place, int(left.read_text(encoding="ascii"))


def _wraps(path: Path) -> bool:
    """Return whether a folder that lies alone is one around the data set, not its only class or split."""
    name = path.name
    return path.is_dir() and not (isinstance(meaning(name), int) or is_number(name) or parse_split(name))


def _unpacked(file: BinaryIO, folder: Path, most: int) -> int:
    file.seek(0)
    left, room, folders = 0, most, set[Path]()
    with open_zip(file, MOST_FILES, MOST_DIRECTORY) as archive:
        entries = [entry for entry in archive.infolist() if not entry.is_dir()]
        require_room(folder, min(most, sum(entry.file_size for entry in entries)))
        for entry in entries:
            parts = PurePosixPath(entry.filename.replace("\\", "/")).parts
            if reason := distrusted(entry, most) or (DEEP if len(parts) > MOST_DEPTH else ""):
                raise DataError(_RULE, got=f"{entry.filename[:200]!r}: {reason}", fix=_FIX)
            if not parts or any(map(of_the_system, parts)):
                continue
            path = folder.joinpath(*parts)
            folders.update(path.parents[: len(parts) - 1])  # each takes a block of the disk
            if len(folders) > MOST_FOLDERS:
                raise DataError(_RULE, got=f"more than {MOST_FOLDERS:,} folders", fix=_FIX)
            path.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(entry) as packed, path.open("xb") as written:
                while chunk := packed.read(CHUNK):
                    room -= len(chunk)
                    if room < 0:
                        raise DataError(_RULE, got="one that unfolds to more than may be sent", fix=_FIX)
                    written.write(chunk)
            if not (has_image_suffix(path.name) or path.suffix.lower() in LISTS or is_image(path)):
                path.unlink()
                left += 1
    return left
