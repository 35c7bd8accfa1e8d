"""Sizes of files as people write and read them, in powers of 1000."""

import re

from humanize import naturalsize

from fer_core.errors import ConfigError

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]?)b?(?:ytes?)?", re.IGNORECASE)


def parse_size(given: str, name: str = "A size") -> int:
    """Return the bytes of a size such as '20GB', '1.5 tb' or '1048576'.

    Args:
        name: what the error calls it.

    Raises:
        ConfigError: it is no such size, or none at all.
    """
    found = _SIZE.fullmatch(given.strip())
    size = int(float(found[1]) * 1000 ** " kmgt".index(found[2].lower() or " ")) if found else 0
    if not size:
        raise ConfigError(
            f"{name} must be a number of bytes above 0, or of kB, MB, GB or TB",
            got=repr(given),
            fix="Write 20GB, for instance",
        )
    return size


def size_text(size: float) -> str:
    """Return bytes for people: 0 Bytes, 812.0 kB, 1.4 GB."""
    return naturalsize(size)
