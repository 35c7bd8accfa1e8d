"""Which workers live: each says so every few seconds in the table of workers.

A SQLite file can't be shared safely between hosts (its locks don't hold over network file systems), so a worker
is refused while one of another host lives. Workers of many hosts may share a PostgreSQL database.

Life is judged by the lease, never by the process: a worker that was stopped, or hangs, has a process and no life. It
is an orphan, which still holds memory and a device, and is ended before work continues. Which process is a worker of
this home is judged by the process, never by the database, which may be a copy: every worker keeps its home's `mark`
open, and a copied home's is another file.
"""

import hashlib
import logging
import os
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, text

from fer_core.config.settings import Settings
from fer_core.errors import StoreError
from fer_core.storage.store import Store

from .processes import Process

#: A worker that has not been seen for so many seconds counts as dead.
LIVE_SECONDS = 30.0

#: A lease that ends later than in so many seconds was written by a clock that has been set back, and holds nothing.
LONGEST_LEASE = 600
LAPSED = f"(lease_until < {{now}} OR lease_until > {{now}} + {LONGEST_LEASE})"

ENTER = """
    INSERT INTO workers (owner, host, pid, device, only_run, started, seen)
    VALUES (:owner, :host, :pid, :device, :only, :now, :now)
    ON CONFLICT (owner) DO UPDATE SET
        pid = :pid, device = :device, only_run = :only, started = :now, seen = :now
"""
LONG_DEAD = "SELECT owner, host FROM workers WHERE seen < :now - 20 * :live"
SEEN = "UPDATE workers SET seen = :now WHERE owner = :owner"
LEAVE = "DELETE FROM workers WHERE owner = :owner"
#: Workers for any run; one that carries out a single named run helps no other.
GENERAL = "SELECT host, owner, pid FROM workers WHERE only_run = '' AND seen > :now - :live"
#: The worker that carries out this one run, or a general one that holds it.
OF_RUN = """
    SELECT COUNT(*) FROM workers WHERE seen > :now - :live
        AND (only_run = :id OR owner = (SELECT owner FROM runs WHERE id = :id))
"""
#: A general worker of this host that is at work on the same device.
AT_WORK = """
    SELECT COUNT(*) FROM workers JOIN runs ON runs.owner = workers.owner
    WHERE workers.host = :host AND workers.device = :device AND workers.only_run = '' AND workers.owner <> :owner
      AND runs.status = 'running' AND NOT {lapsed}
""".replace("{lapsed}", LAPSED.format(now=":now"))
OTHER_HOST = "SELECT host FROM workers WHERE host <> :host AND seen > :now - :live LIMIT 1"
WORK_LEFT = """
    SELECT COUNT(*) FROM runs
    WHERE status IN ('queued', 'running') AND (CAST(:only AS TEXT) IS NULL OR id = :only)
"""


def host_name() -> str:
    """Return this host's name."""
    return socket.gethostname()


def owner_name(pid: int | None = None) -> str:
    """Return the name of the worker in a process's main thread, or in the calling thread of this process.

    It holds when the process started, for the system gives its number away again: `host:pid@ticks[/thread]`.
    """
    process = Process.of(pid or os.getpid())
    name = f"{host_name()}:{pid or os.getpid()}" + (f"@{process.started}" if process else "")
    if pid is None and threading.current_thread() is not threading.main_thread():
        return f"{name}/{threading.get_native_id()}"
    return name


def process_of(owner: str) -> Process | None:
    """Return the process whose main thread is this worker; None for a worker in another thread of a process."""
    found = re.search(r":(\d+)@(\d+)$", owner)
    return Process(int(found[1]), int(found[2])) if found else None


def at_work(store: Store, connection: Connection, owner: str, device: str) -> bool:
    """Return whether another worker for any run carries one out on this device of this host."""
    values = _now(store, owner=owner, device=device, host=host_name())
    return bool(connection.execute(text(AT_WORK), values).scalar_one())


def refuse_other_hosts(store: Store, connection: Connection) -> None:
    """Do nothing unless another host's worker uses this SQLite file.

    Raises:
        StoreError: one does; the message names the fix.
    """
    if store.shared:
        return
    host = host_name()
    other = connection.execute(text(OTHER_HOST), _now(store, host=host)).scalar_one_or_none()
    if other is not None:
        raise StoreError(
            f"All workers of one SQLite file must be on one host; this is {host}",
            got=f"a worker on {other}",
            fix="Let all hosts share a PostgreSQL database (FER_DATABASE_URL), or stop that worker, or wait "
            f"{LIVE_SECONDS:.0f} s if {other} is gone, or give this host its own folder with FER_HOME",
        )


def enter(store: Store, owner: str, *, device: str, pid: int | None = None, only: str | None = None) -> None:
    """Register a worker. Raises StoreError while another host's worker lives."""
    worker = {"owner": owner, "host": host_name(), "pid": pid or os.getpid(), "device": device}

    def work(connection: Connection) -> None:
        refuse_other_hosts(store, connection)
        _forget_dead(store, connection)
        connection.execute(text(ENTER), _now(store, only=only or "", **worker))

    store.write(work)


def seen(store: Store, owner: str) -> None:
    """Record that a worker lives."""
    store.change(SEEN, _now(store, owner=owner), by_row=True)


def leave(store: Store, owner: str) -> None:
    """Remove a worker from the table."""
    store.change(LEAVE, {"owner": owner})


def leave_if_idle(store: Store, owner: str, *, only: str | None = None) -> bool:
    """Remove a worker unless runs wait or are being worked on (their worker may die); return whether it left.

    One transaction: a run submitted later finds no worker and starts one, a run submitted before is seen.
    """

    def work(connection: Connection) -> bool:
        if connection.execute(text(WORK_LEFT), {"only": only}).scalar_one():
            return False
        connection.execute(text(LEAVE), {"owner": owner})
        return True

    return store.write(work)


def any_lives(store: Store) -> bool:
    """Return whether a worker for any run lives. Raises StoreError where none may be started beside another host's."""
    here = host_name()
    with store.read() as connection:
        for worker in connection.execute(text(GENERAL), _now(store)):
            process = process_of(worker.owner) or Process.of(worker.pid)
            if worker.host != here or (process and process.lives()):
                return True
        refuse_other_hosts(store, connection)
    return False


def works_on(store: Store, run_id: str) -> bool:
    """Return whether a worker that has been seen lately is there for this run, whatever its host."""
    return bool(store.rows(OF_RUN, _now(store, id=run_id))[0][0])


def _forget_dead(store: Store, connection: Connection) -> None:
    """Remove workers that died long ago; one whose process is still there has to be ended first (`Orphans`)."""
    for owner, host in connection.execute(text(LONG_DEAD), _now(store)).all():
        process = process_of(owner)
        if host != host_name() or process is None or not process.lives():
            connection.execute(text(LEAVE), {"owner": owner})


def _now(store: Store, **values: object) -> dict[str, object]:
    return {"now": store.now(), "live": LIVE_SECONDS, **values}


log = logging.getLogger(__name__)

#: Workers of this host that have not been seen for long, or whose run's lease has run out. One that is there for
#: a single named run may belong to somebody's terminal and is looked at only for the run it holds.
LOST = """
    SELECT owner, seen FROM workers
    WHERE host = :host AND owner <> :owner
      AND ((seen < :now - :live AND only_run = '')
           OR owner IN (SELECT owner FROM runs WHERE status = 'running' AND {lapsed}))
""".replace("{lapsed}", LAPSED.format(now=":now"))
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
            "host": host_name(),
            "owner": self._owner,
            "now": wall,
            "live": LIVE_SECONDS,
        }
        lost = [(row.owner, row.seen) for row in self._store.rows(LOST, values)]
        seen = self._store.rows(OWN, values)
        locked = not seen or wall - seen[0].seen > self._patience
        now, mine = time.monotonic(), process_of(self._owner)
        held = {}
        for suspect in lost:
            process = process_of(suspect[0])
            if process is None or process == mine:
                continue
            if not process.lives():
                if not locked:
                    leave(self._store, suspect[0])
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
                leave(self._store, suspect[0])
        self._suspects = held
        return not held
