"""Which workers live: each says so every few seconds in the table of workers.

A SQLite file can't be shared safely between hosts (its locks don't hold over network file systems), so a worker
is refused while one of another host lives.
"""

from __future__ import annotations

import os
import socket
import threading
import time

from sqlalchemy import Connection, text

from ..errors import StoreError
from ..store import Store

#: A worker that has not been seen for so many seconds counts as dead.
LIVE_SECONDS = 30.0

ENTER = """
    INSERT INTO workers (owner, host, pid, device, only_run, started, seen)
    VALUES (:owner, :host, :pid, :device, :only, :now, :now)
    ON CONFLICT (owner) DO UPDATE SET
        pid = :pid, device = :device, only_run = :only, started = :now, seen = :now
"""
FORGET_DEAD = "DELETE FROM workers WHERE seen < :now - 20 * :live"
SEEN = "UPDATE workers SET seen = :now WHERE owner = :owner"
LEAVE = "DELETE FROM workers WHERE owner = :owner"
#: Workers for any run; one that carries out a single named run helps no other.
GENERAL = "SELECT host, pid FROM workers WHERE only_run = '' AND seen > :now - :live"
#: The worker that carries out this one run, or a general one that holds it.
OF_RUN = """
    SELECT COUNT(*) FROM workers WHERE seen > :now - :live
        AND (only_run = :id OR owner = (SELECT owner FROM runs WHERE id = :id))
"""
OTHER_HOST = "SELECT host FROM workers WHERE host <> :host AND seen > :now - :live LIMIT 1"
WORK_LEFT = """
    SELECT COUNT(*) FROM runs
    WHERE status IN ('queued', 'running') AND (CAST(:only AS TEXT) IS NULL OR id = :only)
"""


def host_name() -> str:
    """Return this host's name."""
    return socket.gethostname()


def owner_name(pid: int | None = None) -> str:
    """Return the name of the worker in a process's main thread, or in the calling thread of this process."""
    if pid is None and threading.current_thread() is not threading.main_thread():
        return f"{host_name()}:{os.getpid()}:{threading.get_native_id()}"
    return f"{host_name()}:{pid or os.getpid()}"


def refuse_other_hosts(connection: Connection, host: str) -> None:
    """Refuse to go on while another host's worker uses this file.

    Raises:
        StoreError: one does; the message names the fix.
    """
    other = connection.execute(text(OTHER_HOST), _now(host=host)).scalar_one_or_none()
    if other is not None:
        raise StoreError(
            f"All workers of one SQLite file must be on one host; this is {host}",
            got=f"a worker on {other}",
            fix=f"Stop that worker, or wait {LIVE_SECONDS:.0f} s if {other} is gone, or give this host a folder "
            "of its own with FER_HOME",
        )


def enter(store: Store, owner: str, *, device: str, pid: int | None = None, only: str | None = None) -> None:
    """Register a worker. Raises StoreError while another host's worker lives."""
    worker = {
        "owner": owner,
        "host": host_name(),
        "pid": pid or os.getpid(),
        "device": device,
        "only": only or "",
    }

    def work(connection: Connection) -> None:
        refuse_other_hosts(connection, host_name())
        connection.execute(text(FORGET_DEAD), _now())
        connection.execute(text(ENTER), _now(**worker))

    store.write(work)


def seen(store: Store, owner: str) -> None:
    """Say that a worker lives."""
    store.write(lambda connection: connection.execute(text(SEEN), _now(owner=owner)))


def leave(store: Store, owner: str) -> None:
    """Strike a worker off."""
    store.write(lambda connection: connection.execute(text(LEAVE), _now(owner=owner)))


def leave_if_idle(store: Store, owner: str, *, only: str | None = None) -> bool:
    """Strike a worker off unless runs wait or are being worked on (their worker may die); say whether.

    One transaction: a run submitted later finds no worker and starts one, a run submitted before is seen.
    """

    def work(connection: Connection) -> bool:
        if connection.execute(text(WORK_LEFT), {"only": only}).scalar_one():
            return False
        connection.execute(text(LEAVE), _now(owner=owner))
        return True

    return store.write(work)


def reserve(store: Store, owner: str, *, device: str) -> bool:
    """Register a worker about to be started, unless one for any run lives already; say whether."""

    def work(connection: Connection) -> bool:
        if _any_lives(connection):
            return False
        refuse_other_hosts(connection, host_name())
        worker = {"owner": owner, "host": host_name(), "pid": os.getpid(), "device": device, "only": ""}
        connection.execute(text(ENTER), _now(**worker))
        return True

    with store.read() as connection:
        if _any_lives(connection):
            return False
    return store.write(work)


def works_on(store: Store, run_id: str) -> bool:
    """Return whether a worker that has been seen lately is there for this run, whatever its host."""
    with store.read() as connection:
        return bool(connection.execute(text(OF_RUN), _now(id=run_id)).scalar_one())


def _any_lives(connection: Connection) -> bool:
    here = host_name()
    workers = connection.execute(text(GENERAL), _now()).all()
    return any(worker.host != here or _process_exists(worker.pid) for worker in workers)


def _process_exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _now(**values: object) -> dict[str, object]:
    return {"now": time.time(), "live": LIVE_SECONDS, **values}
