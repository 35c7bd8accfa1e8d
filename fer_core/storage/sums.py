"""SHA-256 sums of an artifact's files, kept beside them in the form that `sha256sum --check` reads.

A process compares an artifact's files with their sums when it first opens it, and again where a size or time has
changed: all else costs it a `stat` a file. What was made before there were sums has none, and is taken as it is.
"""

import hashlib
from collections.abc import Iterable
from pathlib import Path

SUMS = "SHA256SUMS"

#: The file whose time says when an artifact was last used, and nothing of its content.
_TOUCHED = "config.json"

#: Folders that were whole when this process last looked: their files as they were then.
_whole: dict[Path, dict[str, tuple[int, int]]] = {}


def write(folder: Path, final: Path) -> None:
    """Write the sums of all files below a folder that is about to be renamed to `final`."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != SUMS)
    lines = [f"{_digest(path)}  {path.relative_to(folder).as_posix()}\n" for path in files]
    partial = folder / f"{SUMS}.partial"
    partial.write_text("".join(lines), encoding="utf-8")
    partial.replace(folder / SUMS)
    _whole[final] = _facts(folder, [SUMS, *(path.relative_to(folder).as_posix() for path in files)])


def damage(folder: Path) -> dict[str, str]:
    """Return what is wrong with an artifact's files, by name: nothing where all have their sums, or there are none."""
    known = _whole.get(folder)
    if known and known == _facts(folder, known):
        return {}
    try:
        lines = (folder / SUMS).read_text(encoding="utf-8").splitlines()
        sums = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        return {SUMS: f"unreadable ({error})"}
    if not sums or any(len(digest) != 64 or not name for name, digest in sums.items()):
        return {SUMS: "empty or damaged"}
    facts = _facts(folder, [SUMS, *sums])
    found = {name: problem for name, digest in sums.items() if (problem := _problem(folder / name, digest))}
    if not found:
        _whole[folder] = facts
    return found


def _problem(path: Path, digest: str) -> str:
    try:
        if not path.stat().st_size and digest != hashlib.sha256().hexdigest():
            return "empty"
        return "" if _digest(path) == digest else "changed"
    except FileNotFoundError:
        return "missing"
    except OSError as error:
        return error.strerror or str(error)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _facts(folder: Path, names: Iterable[str]) -> dict[str, tuple[int, int]]:
    """Return size and time of files, a hash of the content instead of `_TOUCHED`'s time; (-1, 0) for one not there."""
    found = {}
    for name in names:
        try:
            path = folder / name
            status = path.stat()
            found[name] = status.st_size, hash(path.read_bytes()) if name == _TOUCHED else status.st_mtime_ns
        except OSError:
            found[name] = -1, 0
    return found
