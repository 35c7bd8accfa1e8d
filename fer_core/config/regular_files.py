"""Files and folders that users name: regular files of bounded size, on a shared host in an allowed folder.

Pipes and devices never end, kernel files are no data.
"""

import errno
import os
import stat
from collections.abc import Sequence
from io import BufferedReader
from pathlib import Path

from fer_core.errors import DataError

#: Bytes of the largest file that is read in pieces, such as one of weights.
MOST = 8 << 30


def opened(path: Path | str, most: int = MOST) -> BufferedReader:
    """Open a regular file for reading, links followed; it never waits, as opening a pipe would.

    Args:
        most: bytes that it may have.

    Raises:
        DataError: it is a pipe, a device or a socket, or larger.
        OSError: as `open` raises it: no such file, a folder, not readable.
    """
    _judge(Path(path).stat(), path, most)  # before it is opened: that alone makes some devices act
    file = open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK))  # noqa: SIM115
    try:
        _judge(os.fstat(file.fileno()), path, most)  # what the name leads to may have changed
    except BaseException:
        file.close()
        raise
    return file


def read(path: Path | str, most: int) -> bytes:
    """Return a regular file's bytes, no more than its size says: what grows meanwhile ends. Raises as `opened`."""
    with opened(path, most) as file:
        return file.read(os.fstat(file.fileno()).st_size)


def _judge(facts: os.stat_result, path: Path | str, most: int) -> None:
    if stat.S_ISDIR(facts.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(facts.st_mode):
        raise DataError("not a regular file")
    if facts.st_size > most:
        raise DataError(f"larger than {most >> 20:,} MB")


RULE = "{what} must lie in a folder that this installation allows (FER_DATA_ROOTS)"

#: File systems of the kernel: what lies there is no data, may be secret, and may never end.
KERNEL = (Path("/proc"), Path("/sys"), Path("/dev"))


def require_inside(path: Path, roots: Sequence[Path], *, what: str = "A data set") -> None:
    """Check that a path, links and '..' followed, lies in one of the folders; no folders allow any but the kernel's.

    Args:
        roots: those of the settings (`data_roots`).
        what: what lies there, for the message.

    Raises:
        DataError: it doesn't. The message doesn't say whether anything is there.
    """
    if "\0" in str(path):
        raise DataError(f"{what} must have a path without NUL", got=repr(str(path)))
    if inside(path, KERNEL):
        raise DataError(
            f"{what} must not lie in a folder of the kernel ({', '.join(map(str, KERNEL))})",
            got=str(path),
            fix="Give a folder or file of your own",
        )
    if roots and not inside(path, [root.resolve() for root in roots]):
        raise DataError(
            RULE.format(what=what),
            got=str(path),
            fix="Move it there, or ask the administrator of this installation",
        )


def inside(path: Path, roots: Sequence[Path]) -> bool:
    """Return whether a path, links and '..' followed, lies in one of the resolved folders."""
    place = path.resolve()
    return any(place.is_relative_to(root) for root in roots)
