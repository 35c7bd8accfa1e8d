"""Files that users name are regular files of bounded size: pipes and devices never end, kernel files are no data."""

import errno
import os
import stat
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
