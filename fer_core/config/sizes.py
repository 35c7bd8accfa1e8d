"""Sizes of files as people write and read them, in powers of 1000."""

from __future__ import annotations

import re

from fer_core.errors import ConfigError

UNITS = ("B", "kB", "MB", "GB", "TB")

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]?)b?", re.IGNORECASE)


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
    """Return bytes for people: 0 B, 812 kB, 1.4 GB."""
    for unit in UNITS[:3]:
        if size < 999.5:
            return f"{size:.0f} {unit}"
        size /= 1000
    return f"{size:.1f} GB" if size < 999.95 else f"{size / 1000:.1f} TB"
