"""Workers that have lost their lease but whose process still holds memory and a device: ended before work continues.

Life is judged by the lease, never by the process: a worker that was stopped, or hangs, has a process and no life.
Which process is a worker of this home is judged by the process, never by the database, which may be a copy: every
worker keeps its home's `mark` open, and a copied home's is another file.
"""

import hashlib
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fer_core.config.settings import Settings
from fer_core.storage.store import Store

from . import registry

log = logging.getLogger(__name__)

#: Workers of this host that have not been seen for long, or whose run's lease has run out. One that is there for
#: a single named run may belong to somebody's terminal and is looked at only for the run it holds.
LOST = """
    SELECT owner, seen FROM workers
    WHERE host = :host AND owner <> :owner
      AND ((seen < :now - :live AND only_run = '')
           OR owner IN (SELECT owner FROM runs WHERE status = 'running' AND {lapsed}))
""".replace("{lapsed}", registry.LAPSED.format(now=":now"))
OWN = "SELECT seen FROM workers WHERE owner = :owner"


def mark(settings: Settings) -> Path:
    """Return the file that every worker of this home and this database keeps open."""
    url = settings.database_url
    name = hashlib.sha256(str(url).encode()).hexdigest()[:16] if url else "sqlite"
    return settings.home / "workers" / name


@contextmanager
def marked(settings: Settings) -> Iterator[None]:
    """Keep this home's mark open: what lets its other workers end this process, should it hang."""
    path = mark(settings)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab"):
        yield


class Orphans:
    """What a worker knows of the others on its host that seem to be dead.

    Args:
        store: the database.
        settings: of this worker; only workers of its home are ended.
        owner: this worker, which leaves itself alone.
        patience: seconds for which another must stay silent under this worker's eyes before it is ended. After
            a sleeping host everybody is late, and the first to wake must not end the others. While its signs of
            life don't reach the database either, it is locked, maybe by an orphan: then only processes that stand
            still are ended, for the others wait as it does.
    """

    def __init__(self, store: Store, settings: Settings, owner: str, patience: float) -> None:
        self._store, self._mark, self._owner, self._patience = store, mark(settings), owner, patience
        self._suspects: dict[tuple[str, float], float] = {}
        #: When `gone` last looked, by the database's clock: of leases that ran out later it knows nothing.
        self.looked = 0.0

    def gone(self) -> bool:
        """End orphans that have been silent for long enough; False while others are still being watched."""
        wall = self.looked = self._store.now()
        values = {
            "host": registry.host_name(),
            "owner": self._owner,
            "now": wall,
            "live": registry.LIVE_SECONDS,
        }
        lost = [(row.owner, row.seen) for row in self._store.rows(LOST, values)]
        seen = self._store.rows(OWN, values)
        locked = not seen or wall - seen[0].seen > self._patience
        now, mine = time.monotonic(), registry.process_of(self._owner)
        held = {}
        for suspect in lost:
            process = registry.process_of(suspect[0])
            if process is None or process == mine:
                continue
            if not process.lives():
                if not locked:
                    registry.leave(self._store, suspect[0])
                continue
            if not process.holds(self._mark):
                continue  # another installation's, whose database this one was copied from or shares
            since = self._suspects.get(suspect, now)
            if now - since < self._patience or (locked and not process.stopped()):
                held[suspect] = since
                continue
            log.warning("worker %s has lost its lease but not its process, which is ended", suspect[0])
            if not process.end():
                log.error("process %d could not be ended", process.pid)
            elif not locked:
                registry.leave(self._store, suspect[0])
        self._suspects = held
        return not held
