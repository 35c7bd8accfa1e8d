"""Allowed folders: on a shared host, data sets, tables and weights must lie in one of these."""

from collections.abc import Sequence
from pathlib import Path

from fer_core.errors import DataError

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
