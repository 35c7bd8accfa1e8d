"""Where queued runs are carried out: in a worker process of this host, or in the calling process."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from ..errors import StoreError
from ..settings import Settings
from ..store import Store
from . import registry
from .worker import run_worker

ROOT = Path(__file__).resolve().parents[2]

#: The worker's log starts anew beyond so many bytes; the one before is kept.
LOG_BYTES = 5_000_000


def launch(settings: Settings) -> None:
    """See to it that queued runs get carried out; call it after submitting, and as often as you like.

    With 'local' it returns at once, with 'inline' when nothing is left to do.

    Raises:
        StoreError: this is a read-only demo, or a worker of another host uses the database.
    """
    if settings.demo:
        raise StoreError("Runs can't be started in demo mode", fix="Start FER Lab without FER_DEMO")
    EXECUTORS[settings.executor](settings)


def inline(settings: Settings) -> None:
    """Carry out the runs in this process until nothing is left."""
    run_worker(settings, until_idle=True)


def local(settings: Settings) -> None:
    """Start a worker process that outlives this one, unless a worker lives already."""
    store = Store(settings.database)
    reservation = f"{registry.owner_name()}:start"
    try:
        if not registry.reserve(store, reservation, device=settings.device):
            return
        try:
            pid = _spawn(settings)
            registry.enter(store, registry.owner_name(pid), device=settings.device, pid=pid)
        finally:
            registry.leave(store, reservation)
    finally:
        store.close()


EXECUTORS: dict[str, Callable[[Settings], None]] = {"inline": inline, "local": local}


def _spawn(settings: Settings) -> int:
    """Start the worker process, detached from this one's terminal and signals; return its process id."""
    path = settings.home / "logs" / "worker.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and path.stat().st_size > LOG_BYTES:
        path.replace(path.with_suffix(".log.1"))
    places = {
        "FER_HOME": str(settings.home),
        "FER_WEIGHTS_DIR": str(settings.weights_dir),
        "FER_DEVICE": settings.device,
        "FER_THREADS": str(settings.threads),
    }
    with path.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "fer_core", "worker", "--until-idle"],
            cwd=ROOT,  # where `-m fer_core` is found; every place above is absolute
            env=os.environ | places,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    # Waited for, so that a dead worker is gone and not a zombie that looks alive.
    threading.Thread(target=process.wait, name="reaper", daemon=True).start()
    return process.pid
