"""Rows that an earlier artifact holds already are copied: only images whose crops are new are computed.

Beside its rows an artifact keeps a mark of what each was computed from. When crops change in a few frames, because
a box was drawn by hand, say, the others' rows are found by their marks in whatever was made before. This is for
rows that depend on their own image alone, to the bit, as activations and descriptors do: the outcome is then that
of computing all of them.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np

from fer_core.errors import StoreError
from fer_core.storage.artifacts import Artifacts, require_room

MARKS = "marks.npy"

#: Rows copied at once: bounds memory.
_COPIED = 64


def marks_of(crops: np.ndarray, *, placed: bool = False) -> np.ndarray:
    """Return what identifies each crop: (N,) byte strings, equal for equal pixels.

    Args:
        crops: (N, H, W, 3) uint8.
        placed: whether a crop's place among the N decides its row too, as it does where the place seeds a change.
    """
    found = np.empty(len(crops), dtype="S32")
    for place, crop in enumerate(crops):
        mark = blake2b(repr((crop.shape, place if placed else None)).encode(), digest_size=16)
        mark.update(np.ascontiguousarray(crop).data)
        found[place] = mark.hexdigest().encode()
    return found


def write_rows(
    path: Path,
    kind: str,
    about: dict[str, Any],
    marks: np.ndarray,
    compute: Callable[[np.ndarray], Iterable[np.ndarray]],
    artifacts: Artifacts,
) -> None:
    """Write an artifact's array (N, ...) float32 and its marks: rows made before are copied, the others computed.

    Args:
        path: the array's file, in the folder that is being made; earlier artifacts have it under the same name.
        kind: of the artifact.
        about: what decides a row besides its image, version of the step included: artifacts whose config.json
            says the same, apart from `crops` and `images`, serve.
        marks: (N,), from `marks_of`.
        compute: given places (M,) in rising order, yields their rows in batches; called once, unless no row is
            new.
    """
    np.save(path.with_name(MARKS), marks)
    missing = np.arange(len(marks))
    stored: np.memmap | None = None

    def room(like: np.ndarray) -> np.memmap:
        require_room(
            path.parent, 4 * len(marks) * like[0].size
        )  # to write a map on a full disk ends the process
        return np.lib.format.open_memmap(path, "w+", np.float32, (len(marks), *like.shape[1:]))

    for theirs, their_marks in _earlier(path.name, kind, about, artifacts):
        here, there = _shared(marks, missing, their_marks)
        if len(here):
            stored = room(theirs) if stored is None else stored
            for start in range(0, len(here), _COPIED):
                part = slice(start, start + _COPIED)
                stored[here[part]] = theirs[there[part]]
            missing = np.setdiff1d(missing, here, assume_unique=True)
            if not len(missing):
                break
    if len(missing) or stored is None:
        done = 0
        for values in compute(missing):
            stored = room(values) if stored is None else stored
            stored[missing[done : done + len(values)]] = values
            done += len(values)
    if stored is not None:
        stored.flush()


def _earlier(
    name: str, kind: str, about: dict[str, Any], artifacts: Artifacts
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield array and marks of each artifact that was made in the same way, of whatever crops."""
    wanted = json.loads(json.dumps(about))
    for key in artifacts.keys(kind):
        try:
            config = artifacts.read_config(kind, key)
            if {what: value for what, value in config.items() if what not in ("crops", "images")} != wanted:
                continue
            folder = artifacts.open(kind, key)
            yield np.load(folder / name, mmap_mode="r"), np.load(folder / MARKS)
        except (StoreError, OSError, ValueError):
            # Deleted at this moment, damaged, or made before there were marks: then there is that much more to compute.
            continue


def _shared(marks: np.ndarray, missing: np.ndarray, theirs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return which of the missing places another array has, and where there."""
    if not len(theirs):
        return missing[:0], missing[:0]
    order = np.argsort(theirs)
    places = np.searchsorted(theirs[order], marks[missing]).clip(max=len(theirs) - 1)
    same = theirs[order[places]] == marks[missing]
    return missing[same], order[places][same]
