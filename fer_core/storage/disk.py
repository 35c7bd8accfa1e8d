"""What artifacts take on the disk, and which of them go when it gets tight.

Nothing goes that a run in the database rests on: its networks, its detections and crops; nor, while it waits or
works, what was computed from these. The rest is made again by the step that wants it: activations, descriptors, what
nearest faces are looked up in, and crops and detections that no run names. Boxes drawn by hand and fine-tuned
detectors are never collected.
"""

import json
import logging
import os
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from humanize import naturalsize

from fer_core.config.run import RunConfig, parse
from fer_core.config.settings import Settings
from fer_core.errors import ConfigError, StoreError

from .artifacts import NOTED_SECONDS, Artifacts, last_used
from .shared_artifacts import artifacts_of
from .store import Store

#: What was noted as used so lately stays (seconds): `Artifacts.discard` sees to that. Uses are noted once an hour.
GRACE_SECONDS = 2 * NOTED_SECONDS

RUNS, FACES, COMPUTED = "runs", ("crops", "detections"), ("activations", "descriptors")
#: What nearest faces are looked up in: made by a visitor's question, in seconds, and needed by no run.
LOOKED_UP = "neighbours"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Stored:
    """What lies under one kind and key: whole, half made or half deleted.

    `used` is in seconds since 1970; `crops` the key of what activations and descriptors were computed from, '' where
    that isn't known.
    """

    kind: str
    key: str
    bytes: int
    used: float
    crops: str = ""


@dataclass(frozen=True)
class Needed:
    """What the runs in the database rest on.

    Attributes:
        runs: their ids.
        faces: keys of their crops and detections.
        active: keys of the crops of those that are queued or running.
        unread: some definition can't be read, so that what it rests on isn't known.
    """

    runs: frozenset[str]
    faces: frozenset[str]
    active: frozenset[str]
    unread: bool = False

    def spares(self, one: Stored) -> bool:
        """Return whether something can go without loss for a run in the database."""
        if one.kind == RUNS:
            return one.key not in self.runs
        if one.kind in FACES:
            return one.key not in self.faces and not self.unread
        if one.kind in COMPUTED:
            return one.crops not in self.active and not (self.unread and self.active)
        return one.kind == LOOKED_UP


@dataclass(frozen=True)
class KindUse:
    """A kind's artifacts, their bytes, how many bytes of them could go, and how many went."""

    kind: str
    artifacts: int
    bytes: int
    collectable: int = 0
    collected: int = 0


def stored(artifacts: Artifacts) -> list[Stored]:
    """Return what lies on this host's disk, sorted; of shared artifacts the copies here."""
    found = []
    for folder in sorted(path for path in artifacts.root.glob("*") if path.is_dir()):
        parts: dict[str, list[Path]] = {}
        for path in folder.iterdir():
            if path.is_dir():
                parts.setdefault(path.name.lstrip(".").partition(".")[0], []).append(path)
        for key, paths in sorted(parts.items()):
            crops = ""
            if folder.name in COMPUTED:
                with suppress(StoreError):  # half made, or damaged: of no use to a run
                    crops = str(artifacts.read_config(folder.name, key).get("crops", ""))
            found.append(Stored(folder.name, key, _bytes(paths), last_used(paths), crops))
    return found


def _bytes(folders: Iterable[Path]) -> int:
    total = 0
    for folder in folders:
        for place, _, names in os.walk(folder):
            for name in names:
                with suppress(FileNotFoundError):  # deleted at this moment
                    total += Path(place, name).lstat().st_size
    return total


def needed(store: Store) -> Needed:
    """Return what the runs in the database rest on."""
    ids, faces, active, unread = set[str](), set[str](), set[str](), False
    for run_id, status, text in store.definitions():
        ids.add(run_id)
        whole = json.loads(text)
        found = _face_keys(json.dumps({name: whole[name] for name in ("data", "faces") if name in whole}))
        unread = unread or not found
        faces.update(found)
        if status in ("queued", "running"):
            active.add(found[0] if found else run_id)
    return Needed(frozenset(ids), frozenset(faces), frozenset(active), unread)


@lru_cache(maxsize=1024)  # many runs share their faces
def _face_keys(definition: str) -> tuple[str, ...]:
    """Return the keys of crops and detections of a definition; none for one of another version."""
    try:
        config = parse(RunConfig, json.loads(definition))
    except ConfigError:
        return ()
    return config.crops_key(), config.detections_key()


def require_runs(store: Store, artifacts: Artifacts) -> None:
    """Raise StoreError where the database knows no run beside what runs have left: it is another, or was lost."""
    if store.runs(limit=1):
        return
    here = Artifacts(artifacts.root)
    if left := [f"{len(keys)} {kind}" for kind in (RUNS, *FACES) if (keys := here.keys(kind))]:
        raise StoreError(
            "A database beside artifacts must know the runs that made them",
            got=f"an empty one, {store}, beside {' and '.join(left)} in {here.root}",
            fix="Put a copy of the database back, name the right one with FER_DATABASE_URL, or start anew: with "
            "another FER_HOME, or after moving that folder away",
        )


def choose(
    found: Iterable[Stored], needs: Needed, *, now: float, limit: int | None = None, age: float = 0.0
) -> list[Stored]:
    """Return what goes, the longest unused first.

    Args:
        now: seconds since 1970.
        limit: bytes to come down to, no further; None lets everything go that can.
        age: only what has not been used for so long (seconds; `GRACE_SECONDS` at least).
    """
    rows = list(found)
    before = now - max(age, GRACE_SECONDS)
    over = float("inf") if limit is None else sum(one.bytes for one in rows) - limit
    going = []
    for one in sorted(rows, key=lambda one: (one.used, one.kind, one.key)):
        if over <= 0:
            break
        if one.used <= before and needs.spares(one):
            going.append(one)
            over -= one.bytes
    return going


def collect(
    artifacts: Artifacts,
    store: Store,
    *,
    limit: int | None = None,
    age: float = 0.0,
    dry: bool = False,
    keep: Sequence[str] = (),
) -> list[KindUse]:
    """Delete what `choose` names; returns what each kind took before, could free and has freed.

    Args:
        dry: delete nothing: `collected` is what would have gone.
        keep: kinds of which nothing goes.

    Raises:
        StoreError: the database knows no run at all, though some have left artifacts.
    """
    require_runs(store, artifacts)
    rows, needs, now = stored(artifacts), needed(store), time.time()
    free = [one for one in rows if one.kind not in keep]
    able = choose(free, needs, now=now, age=age)
    bound = None if limit is None else limit - sum(one.bytes for one in rows if one.kind in keep)
    going = choose(free, needs, now=now, limit=bound, age=age)
    return by_kind(rows, able, [one for one in going if dry or artifacts.discard(one.kind, one.key)])


def by_kind(
    rows: Sequence[Stored], able: Sequence[Stored] = (), gone: Sequence[Stored] = ()
) -> list[KindUse]:
    """Return what each kind takes, the biggest first: of the `rows` some were `able` to go and some are `gone`."""
    count = Counter(one.kind for one in rows)
    size, could, freed = _sums(rows), _sums(able), _sums(gone)
    kinds = sorted(size, key=lambda kind: (-size[kind], kind))
    return [KindUse(kind, count[kind], size[kind], could[kind], freed[kind]) for kind in kinds]


def _sums(rows: Iterable[Stored]) -> Counter[str]:
    sums: Counter[str] = Counter()
    for one in rows:
        sums[one.kind] += one.bytes
    return sums


def keep_below_limit(settings: Settings, store: Store) -> None:
    """Collect until the artifacts take less than FER_DISK_LIMIT; where they can't, say so in the log.

    Networks of runs that the database doesn't know are left to `clean`: they may be another database's.
    """
    if not settings.disk_limit:
        return
    artifacts = artifacts_of(settings)
    total = sum(one.bytes for one in stored(artifacts))
    if total <= settings.disk_limit:
        return
    freed = sum(use.collected for use in collect(artifacts, store, limit=settings.disk_limit, keep=(RUNS,)))
    if freed:
        log.info("collected %s of artifacts that no run needs", naturalsize(freed))
    if total - freed > settings.disk_limit:
        log.warning(
            "artifacts take %s, more than FER_DISK_LIMIT (%s): the rest is needed by runs or was used lately",
            naturalsize(total - freed),
            naturalsize(settings.disk_limit),
        )
