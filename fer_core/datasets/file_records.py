"""What is known of image files, computed in threads and kept by size and time of each file."""

import hashlib
import json
import os
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from fer_core.config.run import digest
from fer_core.errors import DataError

from .base import Progress, Sample
from .images import decode, os_reason
from .pictures.look_alikes import look
from .pictures.parts import file_of, part_of, stored

#: Raised when the meaning of a record changes, so that older caches are ignored.
VERSION = 2

Record = dict[str, Any]

#: What is known of one data set's files on disk: size and times of change, and the record, by path.
Kept = dict[str, tuple[list[int], Record]]


def file_records(
    samples: Sequence[Sample],
    compute: Callable[[Path], Record],
    *,
    needs: Sequence[str],
    cache: Path | None = None,
    progress: Progress | None = None,
) -> dict[str, Record]:
    """Return one record a sample, computing only what the cache doesn't know.

    A record holds as long as the file's size and times of change (mtime_ns, and ctime_ns, which a copy that
    keeps the old mtime can't forge) stay as they are. Different computations share the cache and each other's
    fields. Losing the cache, or not being able to write it, costs time and nothing else.

    Args:
        samples: whose files are meant.
        compute: gives a JSON-able record for a path, with 'sha256' among its fields, '' where the file can't
            be read; called in threads; must not raise for a bad file.
        needs: the fields a kept record must have to be enough.
        cache: folder of the cache files, one a data set; None keeps nothing.

    Returns:
        The records by sample name, in the order of the samples.
    """
    file = _file(cache, samples)
    kept = _load(file)
    found: dict[str, Record] = {}
    missing: list[tuple[Sample, list[int] | None]] = []
    for sample in samples:
        stamp = _stamp(sample.path)
        known, record = kept.get(str(sample.path), (None, {}))
        found[sample.name] = dict(record) if stamp is not None and known == stamp else {}
        if any(field not in found[sample.name] for field in needs):
            missing.append((sample, stamp))
    done = len(samples) - len(missing)
    if progress:
        progress(done, len(samples))
    pool = ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="files")
    try:
        results = pool.map(compute, [sample.path for sample, _ in missing])
        for (sample, stamp), computed in zip(missing, results, strict=True):
            found[sample.name] |= computed
            if computed["sha256"] and stamp:  # a file that could not be read is tried again next time
                kept[str(sample.path)] = (stamp, found[sample.name])
            done += 1
            if progress:
                progress(done, len(samples))
    finally:
        pool.shutdown(cancel_futures=True)
        if missing and file:
            _save(file, kept)
    return found


def _stamp(path: Path) -> list[int] | None:
    try:
        facts = file_of(path).stat()
    except OSError:
        return None
    return [facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns]


def _file(cache: Path | None, samples: Sequence[Sample]) -> Path | None:
    if cache is None or not samples:
        return None
    common = os.path.commonpath([sample.path.parent.absolute() for sample in samples])
    return cache / f"files-{digest([VERSION, common])}.json"


def _load(file: Path | None) -> Kept:
    kept: Kept = {}
    with suppress(OSError, ValueError, TypeError):
        for path, stamp, record in json.loads(file.read_text(encoding="utf-8")) if file else ():
            kept[path] = (stamp, dict(record))
    return kept


def _save(file: Path, kept: Kept) -> None:
    """Replace the file in one step, so that no reader meets half of it."""
    text = json.dumps([[path, stamp, record] for path, (stamp, record) in kept.items()])
    with suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        partial = file.with_name(f".{file.name}.{uuid.uuid4().hex}")
        try:
            partial.write_text(text, encoding="utf-8")
            partial.replace(file)
        finally:
            partial.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """What is known of an image file after decoding it once.

    Attributes:
        width, height: pixels of the upright image, as `load_rgb` returns it; 0 where unreadable.
        mode: Pillow's mode as stored ('RGB', 'P', 'I;16' ...); '' where unreadable.
        reason: why it can't be used, or None.
        sha256: of the file's bytes, hex; '' where they could not be read.
        dhash: its difference hash (`look_alikes`), hex; '' where unreadable.
    """

    width: int
    height: int
    mode: str
    reason: str | None
    sha256: str
    dhash: str = field(default="", compare=False)


def inspect(path: Path) -> ImageFacts:
    """Decode a file once and return what is known of it; never raises for a bad file."""
    try:
        data = stored(path)
    except DataError as error:
        return ImageFacts(0, 0, "", error.rule, "")
    except OSError as error:
        return ImageFacts(0, 0, "", os_reason(error), "")
    sha256 = hashlib.sha256(data).hexdigest()
    try:
        found = decode(path if part_of(path) else data)
    except DataError as error:
        return ImageFacts(0, 0, "", error.rule, sha256)
    height, width = found.pixels.shape[:2]
    return ImageFacts(width, height, found.mode, None, sha256, look(found.pixels))


def inspect_all(
    samples: Sequence[Sample], *, cache: Path | None = None, progress: Progress | None = None
) -> dict[str, ImageFacts]:
    """Return the facts of every sample's file, see `file_records`; decoding releases the interpreter lock."""
    needs = ("sha256", "dhash")
    records = file_records(
        samples, lambda path: asdict(inspect(path)), needs=needs, cache=cache, progress=progress
    )
    names = ImageFacts.__slots__
    return {
        sample: ImageFacts(**{name: record[name] for name in names}) for sample, record in records.items()
    }
