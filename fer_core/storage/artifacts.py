"""Files addressed by key: made under a temporary name, then renamed; one writer a key.

`<root>/<kind>/<key>/` holds a finished artifact with its config.json and the SHA-256 sums of its files, and never
changes: one whose files no longer have their sums is not opened, and made again where it is asked for. While it is
made it is `.<key>.partial` beside that place, and its writer holds a lock on `.<key>.lock` that the system frees when
the process dies, however it dies: what has its final name is whole.

When an artifact was last used is the time of its config.json. An artifact that was
opened or asked for stays for an hour at least: `discard` deletes only what has not been used for longer.
"""

import errno
import json
import logging
import os
import re
import shutil
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from humanize import naturalsize

from fer_core.errors import NotFoundError, StoreError

from . import sums

CONFIG = "config.json"

_MAKE_AGAIN = "Run the step that makes it again"
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
_POLL_SECONDS = 0.1

#: Using an artifact is noted at most so often (seconds); `discard` leaves alone what was used twice as lately.
NOTED_SECONDS = 3600.0

#: Bytes that are left free on the disk: the database, which mostly lies on it too, must be able to say that it is full.
MARGIN = 64 << 20

log = logging.getLogger(__name__)


def free_bytes(folder: Path) -> int:
    """Return what is free on the disk of a folder, which need not be there yet."""
    return shutil.disk_usage(next(place for place in (folder, *folder.parents) if place.exists())).free


def require_room(folder: Path, size: int = 0) -> None:
    """Raise StoreError unless `MARGIN` stays free on the disk of a folder once so many bytes are written there."""
    if (free := free_bytes(folder)) < size + MARGIN:
        raise StoreError(
            f"There must be room to write {naturalsize(size + MARGIN)} on the disk of {folder.resolve()}",
            got=f"{naturalsize(free)} free",
            fix="Free some (python -m fer_core clean), then start it again: what is finished is kept",
        )


class Artifacts:
    """The artifacts below one folder, which is made when first written to.

    Args:
        root: the folder; artifacts lie at `root/kind/key`.
    """

    def __init__(self, root: Path) -> None:
        self.root = Path(root)

    def path(self, kind: str, key: str) -> Path:
        """Return where an artifact lies or would lie.

        Raises:
            StoreError: kind or key holds more than letters, digits, '-' and '_'.
        """
        for word in (kind, key):
            if not _WORD.fullmatch(word):
                raise StoreError("An artifact's kind and key are letters, digits, - and _", got=repr(word))
        return self.root / kind / key

    def has(self, kind: str, key: str) -> bool:
        """Return whether the artifact is there and whole; it counts as used."""
        return self._use(kind, key)

    def _here(self, kind: str, key: str) -> bool:
        return (self.path(kind, key) / CONFIG).is_file()

    def _use(self, kind: str, key: str) -> bool:
        """Return whether the artifact is here, and note that it is used.

        What `discard` may delete is noted under the lock: either it stays, or it is gone before this returns.
        """
        folder = self.path(kind, key)
        try:
            if time.time() - (folder / CONFIG).stat().st_mtime >= NOTED_SECONDS:
                with _lock(folder):
                    os.utime(folder / CONFIG)
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError as error:
            if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT):
                raise
            with suppress(OSError):  # there is no lock on a full disk, but the time can still be set
                os.utime(folder / CONFIG)
        return self._here(kind, key)

    def open(self, kind: str, key: str) -> Path:
        """Return the folder of an artifact.

        Raises:
            NotFoundError: it isn't there.
            StoreError: its files no longer have their sums.
        """
        folder = self.path(kind, key)
        if not self._use(kind, key):
            raise NotFoundError(f"The {kind} artifact must be there", got=f"no {key}", fix=_MAKE_AGAIN)
        if found := sums.damage(folder):
            raise _damaged(folder, found)
        return folder

    def whole(self, kind: str, key: str) -> bool:
        """Return whether the artifact is here and its files have their sums."""
        return self._here(kind, key) and not sums.damage(self.path(kind, key))

    def ensure(
        self,
        kind: str,
        key: str,
        config: dict[str, Any],
        build: Callable[[Path], None],
        *,
        resume: bool = False,
        waiting: Callable[[], None] | None = None,
    ) -> Path:
        """Return the folder of an artifact, made now unless it is there.

        If another process or thread is making it, this one waits and takes over what it finds: the finished
        artifact, or, if that writer died or failed, the making. What is damaged is made again.

        Args:
            config: what decides the artifact; kept beside it as config.json.
            build: writes the artifact's files into the empty folder it is given. If it raises, nothing stays.
            resume: keep what an interrupted `build` has written and hand it to the next one, which must cope
                with half a file.
            waiting: called every tenth of a second while another writer works; may raise to give up.

        Raises:
            StoreError: the folder can't be written to, or the disk is full.
        """
        folder = self.path(kind, key)
        if self._use(kind, key) and self.whole(kind, key):
            return folder
        partial = folder.with_name(f".{key}.partial")
        with _storage_errors(folder), _lock(folder, waiting):
            if self.whole(kind, key):
                return folder
            if found := sums.damage(folder):
                log.warning("%s It is made again.", _damaged(folder, found))
            if folder.exists() or not resume:  # damaged, or without config.json: no use to anyone
                _remove(folder)
            partial.mkdir(parents=True, exist_ok=True)
            (partial / sums.SUMS).unlink(missing_ok=True)
            try:
                require_room(partial)
                build(partial)
                (partial / CONFIG).write_text(json.dumps(config, indent=2, sort_keys=True), encoding="utf-8")
                if not (partial / sums.SUMS).exists():
                    sums.write(partial, folder)
                elif found := sums.damage(partial):  # its maker's, come with a download
                    raise _damaged(folder, found)
                _sync(partial)
                partial.rename(folder)
                _sync_one(folder.parent)
            except BaseException:
                if not resume:
                    shutil.rmtree(partial, ignore_errors=True)
                raise
        return folder

    def read_config(self, kind: str, key: str) -> dict[str, Any]:
        """Return the config that an artifact was made with; to read it is no use of the artifact.

        Raises:
            NotFoundError: there is no such artifact.
            StoreError: its config.json is damaged.
        """
        path = self.path(kind, key) / CONFIG
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            if not isinstance(found, dict):
                raise ValueError("not one object")
        except FileNotFoundError as error:
            raise NotFoundError(
                f"The {kind} artifact must be there", got=f"no {key}", fix=_MAKE_AGAIN
            ) from error
        except (OSError, ValueError) as error:
            raise StoreError(
                "An artifact's config.json must be readable JSON",
                got=f"{kind}/{key}: {error}",
                fix="Delete the artifact; it is made again when needed",
            ) from error
        return found

    def keys(self, kind: str) -> list[str]:
        """Return the keys of all whole artifacts of a kind, sorted."""
        folder = self.path(kind, "any").parent
        return sorted(path.parent.name for path in folder.glob(f"*/{CONFIG}") if path.parent.name[0] != ".")

    def size(self, kind: str, key: str) -> int:
        """Return the bytes of an artifact's files, 0 if it isn't there."""
        return sum(path.stat().st_size for path in self.path(kind, key).rglob("*") if path.is_file())

    def delete(self, kind: str, key: str) -> bool:
        """Delete an artifact and what is left of making it; return whether it was there.

        Raises:
            StoreError: it is being made at this moment.
        """
        folder = self.path(kind, key)
        there = self._here(kind, key)
        if folder.parent.is_dir():
            with _storage_errors(folder), _lock(folder, blocking=False):
                _remove(folder)
        return there

    def discard(self, kind: str, key: str) -> bool:
        """Delete an artifact of this host, and what is left of making it, unless it is in use.

        Returns:
            Whether it was deleted: not when it is being made at this moment or may have been used in the last hour.
        """
        folder = self.path(kind, key)
        with suppress(StoreError), _storage_errors(folder), _lock(folder, blocking=False):
            if time.time() - last_used([folder, *_left(folder)]) >= 2 * NOTED_SECONDS:
                _remove(folder)
                return True
        return False


def _damaged(folder: Path, found: Mapping[str, str]) -> StoreError:
    name, problem = next(iter(found.items()))
    return StoreError(
        "An artifact's files must have the SHA-256 sums they were made with",
        got=f"{folder.parent.name}/{folder.name}/{name}: {problem}",
        fix="Run: python -m fer_core check",
    )


def last_used(parts: Iterable[Path]) -> float:
    """Return when an artifact was last used: the newest time of a config.json, or of what is left of making it.

    Args:
        parts: its folder and, beside that, `.<key>.partial` and what a deletion that was cut off has left.
    """
    newest = 0.0
    for part in parts:
        with suppress(FileNotFoundError, NotADirectoryError):
            whole = part / CONFIG
            times = [whole] if whole.is_file() else [part, *part.rglob("*")]
            newest = max(newest, *(path.stat().st_mtime for path in times))
    return newest


@contextmanager
def _lock(
    folder: Path, waiting: Callable[[], None] | None = None, *, blocking: bool = True
) -> Iterator[None]:
    """Hold the lock of one artifact; processes and threads exclude each other alike.

    Raises:
        StoreError: not `blocking`, and another holds it.
    """
    path = folder.with_name(f".{folder.name}.lock")
    path.parent.mkdir(parents=True, exist_ok=True)

    def give_up() -> bool:
        if waiting:
            waiting()
        return False

    lock = FileLock(path, poll_interval=_POLL_SECONDS, fallback_to_soft=False)
    try:
        held = lock.acquire(blocking=blocking, cancel_check=give_up)
    except Timeout as error:
        raise StoreError(
            "An artifact can't be deleted while it is made", fix="Wait for the run that makes it"
        ) from error
    with held:
        try:
            yield
        finally:
            path.unlink(missing_ok=True)  # those who wait see that it lost its name and open the next


@contextmanager
def _storage_errors(folder: Path) -> Iterator[None]:
    """Turn a full or forbidden disk into an error that says what to do."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StoreError(
                "There must be room for an artifact",
                got="a full disk",
                fix=f"Free some on {folder.parent.parent}",
            ) from error
        root, place = folder.parent.parent, Path(str(error.filename))
        ours = error.filename and (place.is_relative_to(root) or root.is_relative_to(place))
        if ours and error.errno in (errno.EACCES, errno.EROFS, errno.ENOTDIR, errno.EEXIST):
            raise StoreError(
                "The artifacts must lie in a writable folder", got=str(error), fix="Set FER_HOME to one"
            ) from error
        raise


def _left(folder: Path) -> list[Path]:
    """Return what making and deleting an artifact has left beside it."""
    return [*folder.parent.glob(f".{folder.name}.[pd]*")]


def _remove(folder: Path) -> None:
    """Delete an artifact and what is left of making it; its name goes first: half a deletion never looks whole."""
    if folder.exists():
        folder.rename(folder.with_name(f".{folder.name}.deleted-{uuid.uuid4().hex[:8]}"))
    for left in _left(folder):
        shutil.rmtree(left, ignore_errors=True)


def _sync(folder: Path) -> None:
    """Have everything on disk before the name says so, for machines that lose power."""
    for path in [*folder.rglob("*"), folder]:
        _sync_one(path)


def _sync_one(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
