"""What is known of files, computed in threads and kept by size and time of each file."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

from fer_core.config.run import digest

from .base import Sample

#: Raised when the meaning of a record changes, so that older caches are ignored.
VERSION = 1

Record = dict[str, Any]


def file_records(
    samples: Sequence[Sample],
    compute: Callable[[Path], Record],
    *,
    needs: Sequence[str],
    cache: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
    workers: int | None = None,
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
        progress: called with (files done, files in all) in the calling thread; may raise to stop.
        workers: threads; as many as there are processors unless given.

    Returns:
        The records by sample name, in the order of the samples.
    """
    kept = _Kept(cache, samples)
    found: dict[str, Record] = {}
    missing: list[tuple[Sample, str, list[int] | None]] = []
    for sample in samples:
        stamp = _stamp(sample.path)
        record = kept.get(str(sample.path), stamp)
        found[sample.name] = record
        if any(field not in record for field in needs):
            missing.append((sample, str(sample.path), stamp))
    done = len(samples) - len(missing)
    if progress:
        progress(done, len(samples))
    pool = ThreadPoolExecutor(workers or os.cpu_count() or 1, thread_name_prefix="files")
    try:
        results = pool.map(compute, [sample.path for sample, _, _ in missing])
        for (sample, place, stamp), computed in zip(missing, results, strict=True):
            found[sample.name] = found[sample.name] | computed
            if computed["sha256"]:  # a file that could not be read is tried again next time
                kept.put(place, stamp, found[sample.name])
            done += 1
            if progress:
                progress(done, len(samples))
    finally:
        pool.shutdown(cancel_futures=True)
        if missing:
            kept.save()
    return found


def _stamp(path: Path) -> list[int] | None:
    try:
        facts = path.stat()
    except OSError:
        return None
    return [facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns]


class _Kept:
    """The records of one data set's files on disk, by absolute path."""

    def __init__(self, cache: Path | None, samples: Sequence[Sample]) -> None:
        self.file: Path | None = None
        self.records: dict[str, tuple[list[int], Record]] = {}
        if cache is None or not samples:
            return
        common = os.path.commonpath([sample.path.parent.absolute() for sample in samples])
        self.file = cache / f"files-{digest([VERSION, common])}.json"
        with suppress(OSError, ValueError, TypeError):
            for path, stamp, record in json.loads(self.file.read_text(encoding="utf-8")):
                self.records[path] = (stamp, dict(record))

    def get(self, path: str, stamp: list[int] | None) -> Record:
        """Return what is known of the file as it is now; nothing is an empty record."""
        known = self.records.get(path)
        return dict(known[1]) if known is not None and stamp is not None and known[0] == stamp else {}

    def put(self, path: str, stamp: list[int] | None, record: Record) -> None:
        if stamp is not None:
            self.records[path] = (stamp, record)

    def save(self) -> None:
        """Replace the file in one step, so that no reader meets half of it."""
        if self.file is None:
            return
        text = json.dumps([[path, stamp, record] for path, (stamp, record) in self.records.items()])
        with suppress(OSError):
            self.file.parent.mkdir(parents=True, exist_ok=True)
            partial = self.file.with_name(f".{self.file.name}.{uuid.uuid4().hex}")
            try:
                partial.write_text(text, encoding="utf-8")
                partial.replace(self.file)
            finally:
                partial.unlink(missing_ok=True)
