"""One worker process a device, started and ended together: `worker --device all` on a host with several GPUs."""

import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from typing import Any

from fer_core import ROOT
from fer_core.config.settings import Settings
from fer_core.storage.home import open_store
from fer_core.storage.store import Store

from . import registry
from .processes import end_all
from .worker import ending_orderly_on_sigterm

WORKER = (sys.executable, "-m", "fer_core", "worker")
#: A worker that died is started again after so many seconds.
PAUSE_SECONDS = 5.0
#: A worker has so long to give its run back before it is killed (seconds); it continues from its checkpoint then.
GRACE_SECONDS = 30.0

log = logging.getLogger(__name__)


def start_worker(
    store: Store, settings: Settings, command: Sequence[str], *, shown: str = "", **options: Any
) -> subprocess.Popen[bytes]:
    """Start a worker process with these settings and register it.

    Args:
        shown: the one GPU or MIG instance that the process may see, by its UUID.
        options: those of `Popen`.
    """
    environment = os.environ | settings.environment() | ({"CUDA_VISIBLE_DEVICES": shown} if shown else {})
    # Where `-m fer_core` is found; every place in the environment is absolute.
    process = subprocess.Popen(command, cwd=ROOT, env=environment, **options)
    device = f"cuda:{shown}" if shown else settings.device
    registry.enter(store, registry.owner_name(process.pid), device=device, pid=process.pid)
    return process


def run_fleet(
    settings: Settings,
    devices: list[str],
    *,
    until_idle: bool = False,
    stop: threading.Event | None = None,
    command: Sequence[str] = WORKER,
    pause: float = PAUSE_SECONDS,
) -> None:
    """Start a worker on every device and keep them alive; first come first served, whichever is free.

    Returns when all have ended by themselves (`until_idle`), or once `stop` is set; on SIGTERM (as SystemExit)
    and Ctrl-C too it ends them first, and their runs go back to the queue.

    Args:
        devices: as `config.devices.present` names them.
        command: what starts a worker.
        pause: seconds after which a worker that died is started again.
    """
    stop = stop or threading.Event()
    command = [*command, *(["--until-idle"] if until_idle else [])]
    due = dict.fromkeys(devices, 0.0)
    workers: dict[str, subprocess.Popen[bytes]] = {}
    store = open_store(settings)
    try:
        with ending_orderly_on_sigterm():
            while (due or workers) and not stop.is_set():
                for device in [device for device, moment in due.items() if moment <= time.monotonic()]:
                    shown = "" if device.startswith(("cuda", "cpu")) else device  # a UUID: its only GPU
                    own = settings.model_copy(update={"device": "cuda:0" if shown else device})
                    workers[device] = start_worker(store, own, command, shown=shown)
                    del due[device]
                    # Whatever started this process has registered it as the worker that it is not.
                    registry.leave(store, registry.owner_name())
                for device in [device for device, process in workers.items() if process.poll() is not None]:
                    if code := workers.pop(device).returncode:
                        log.warning("the worker on %s ended with %d; starting it again", device, code)
                        due[device] = time.monotonic() + pause
                stop.wait(0.2)
    finally:
        end_all(workers.values(), GRACE_SECONDS)
        store.close()
