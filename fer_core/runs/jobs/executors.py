"""Where queued runs are carried out: a table of executors, and what pages and commands ask of the one that is set.

Whatever carries a run out, its row in the database is the truth about it: an executor only sees to it that a
worker lives, or a job waits, for what is queued.
"""

import importlib.util
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from typing import Any

from filelock import FileLock

from fer_core import ROOT
from fer_core.config.run import RunConfig
from fer_core.config.settings import Settings
from fer_core.errors import ConfigError, StoreError
from fer_core.learning.reporting import Report, RunResult
from fer_core.storage.home import open_store
from fer_core.storage.store import Store

from . import queue, registry
from .on_ray import cluster
from .processes import end_all
from .slurm import Slurm
from .worker import Inline, ending_orderly_on_sigterm, run_worker

WORKER = (sys.executable, "-m", "fer_core", "worker")
#: A worker that died is started again after so many seconds.
PAUSE_SECONDS = 5.0
#: A worker has so long to give its run back before it is killed (seconds); it continues from its checkpoint then.
GRACE_SECONDS = 30.0

log = logging.getLogger(__name__)

#: The worker's log begins again beyond so many bytes; the one before is kept.
LOG_BYTES = 5_000_000

#: The most runs that one process drives on a Ray cluster.
DRIVEN = 8


def launch(settings: Settings) -> None:
    """See to it that queued runs get carried out; call it after submitting, and as often as you like.

    With 'inline' it returns when nothing is left to do, with every other executor at once.

    Raises:
        StoreError: this is a read-only demo, or a worker of another host uses the database.
        ConfigError: a package or a setting that the executor needs is missing.
    """
    if settings.demo:
        raise StoreError("Runs can't be started in demo mode", fix="Start FER Lab without FER_DEMO")
    EXECUTORS[settings.executor].submit(settings)


def cancel(settings: Settings, store: Store, run_id: str) -> bool:
    """Cancel a run in its row and where it waits or works; False when it has ended.

    Raises:
        NotFoundError: there is no such run.
    """
    found = queue.cancel(store, run_id)
    if found:
        EXECUTORS[settings.executor].cancel(settings, run_id)
    return found


def describe(settings: Settings) -> str:
    """Say in a few words where runs are carried out. Raises ConfigError."""
    return EXECUTORS[settings.executor].describe(settings)


class Local(Inline):
    """A worker process of this host.

    Args:
        command: what starts it.
    """

    def __init__(self, command: Sequence[str] = WORKER) -> None:
        self._command = command

    def submit(self, settings: Settings) -> None:
        """Start a worker process that outlives this one, unless a worker lives already."""
        log = settings.home / "logs" / "worker.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        store = open_store(settings)
        try:
            with FileLock(log.with_suffix(".lock")):  # callers at the same instant start one worker
                if registry.any_lives(store):
                    return
                if log.exists() and log.stat().st_size > LOG_BYTES:
                    log.replace(log.with_suffix(".log.1"))
                with log.open("ab") as output:
                    process = start_worker(
                        store,
                        settings,
                        [*self._command, "--until-idle", *every_device(settings)],
                        stdin=subprocess.DEVNULL,
                        stdout=output,
                        stderr=subprocess.STDOUT,
                        start_new_session=True,  # apart from this one's terminal and signals
                    )
        finally:
            store.close()
        # Waited for, so that a dead worker is gone and not a zombie that looks alive.
        threading.Thread(target=process.wait, name="reaper", daemon=True).start()

    def describe(self, settings: Settings) -> str:
        """Name the host and the device."""
        return f"a worker on {registry.host_name()}, device {settings.device}"


class Ray(Local):
    """A worker process of this host that has the heavy steps computed on a Ray cluster."""

    def submit(self, settings: Settings) -> None:
        """Start the worker process, unless one lives already."""
        self._checked()
        super().submit(settings)

    def work(self, settings: Settings, *, until_idle: bool, only: str | None = None) -> None:
        """Drive runs: as many side by side as the cluster carries out tasks at once, at most `DRIVEN`."""
        self._checked()
        lanes = 1 if only else min(cluster.slots(settings), DRIVEN)
        stop = threading.Event()
        options: dict[str, Any] = {"until_idle": until_idle, "only": only, "stop": stop, "execute": _on_ray}
        others = [
            threading.Thread(target=run_worker, args=(settings,), kwargs=options, name=f"driver {lane}")
            for lane in range(1, lanes)
        ]
        for other in others:
            other.start()
        try:
            run_worker(settings, **options)
        except BaseException:
            stop.set()
            raise
        finally:
            for other in others:
                other.join()

    def describe(self, settings: Settings) -> str:
        """Name the cluster."""
        self._checked()
        where = cluster.address()
        return f"Ray at {where}" if where else f"a private Ray on {registry.host_name()}"

    @staticmethod
    def _checked() -> None:
        """Raise ConfigError where the package is missing, without the seconds that importing it takes."""
        if importlib.util.find_spec("ray") is None:
            raise ConfigError("FER_EXECUTOR=ray needs the package ray", got="none", fix=cluster.PIP)


def _on_ray(config: RunConfig, report: Report, settings: Settings) -> RunResult:
    """Carry out a run with the pipeline whose heavy steps are Ray's; both imported here because they bring torch."""
    from fer_core.runs.pipeline.run import execute

    from .on_ray.engine import OnRay

    return execute(config, report, settings, OnRay())


EXECUTORS: dict[str, Inline] = {"inline": Inline(), "local": Local(), "ray": Ray(), "slurm": Slurm()}


def every_device(settings: Settings) -> list[str]:
    """Return the options of `worker` that put one on every GPU, unless the settings name a device."""
    return ["--device", "all"] if settings.device == "auto" else []


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
