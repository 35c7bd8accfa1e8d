"""`serve` and `worker`: the dashboard and the process that trains."""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import webbrowser

from fer_core import ROOT
from fer_core.config import settings as settings_module
from fer_core.config.devices import present, resolve
from fer_core.errors import ConfigError
from fer_core.runs.jobs import executors
from fer_core.runs.jobs.fleet import GRACE_SECONDS, run_fleet
from fer_core.runs.jobs.processes import end_all
from fer_core.runs.jobs.queue import submit
from fer_core.runs.plans.preparation import PREPARATION, drawn

from .context import Context
from .output import note

APP = ROOT / "app.py"

#: Each visit runs in its own threads, and glibc keeps freed memory apart for each of many: two such arenas
#: hold a busy dashboard a few hundred MB smaller (`benchmarks/load.py`). What is set already counts.
LEAN = {"MALLOC_ARENA_MAX": "2"}


def serve(*, port: int = 8501, address: str = "127.0.0.1", no_worker: bool = False) -> int:
    """Carry out `serve`: until interrupted or terminated; what it started ends with it.

    Args:
        address: 0.0.0.0 to serve other machines.
        no_worker: leave training to workers started elsewhere.
    """
    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, lambda *_: sys.exit(0))
    context = Context.open()
    _require_free(address, port)
    if not context.settings.demo and not drawn(context.settings):
        submit(context.store, PREPARATION)  # the worker draws it while the page shows how far it is
    processes = []
    if not no_worker and not context.settings.demo:
        command = [sys.executable, "-m", "fer_core", "worker", *executors.every_device(context.settings)]
        # In a group of its own: Ctrl-C reaches this process, which then ends the worker orderly.
        processes.append(
            subprocess.Popen(command, cwd=APP.parent, env=_environment(context.settings), process_group=0)
        )
    command = [sys.executable, "-m", "streamlit", "run", str(APP)]
    command += ["--server.port", str(port), "--server.address", address]
    url = f"http://{address}:{port}"
    note(f"FER Lab is at {url} (stop with Ctrl-C)")
    if settings_module.read(settings_module.Host).screen:
        opening = threading.Timer(4.0, webbrowser.open, [url])  # once the server answers
        opening.daemon = True
        opening.start()
    environment = LEAN | _environment(context.settings)
    processes.append(subprocess.Popen(command, cwd=APP.parent, env=environment))
    try:
        return processes[-1].wait()
    finally:
        end_all(processes, GRACE_SECONDS)


def _require_free(address: str, port: int) -> None:
    """Raise ConfigError where another server answers at a port or it can't be taken."""
    try:
        with socket.create_server((address, port)):
            return
    except OSError as error:
        raise ConfigError(
            "The dashboard's port must be free",
            got=f"{address}:{port} ({error.strerror})",
            fix="Name another: --port, or make app PORT=8502",
        ) from error


def _environment(settings: settings_module.Settings) -> dict[str, str]:
    """Return the environment with the state folder made absolute, for the dashboard runs elsewhere."""
    return os.environ | {"FER_HOME": str(settings.home), "FER_WEIGHTS_DIR": str(settings.weights_dir)}


def worker(*, device: str | None = None, until_idle: bool = False) -> int:
    """Carry out `worker`: until stopped, or until nothing is left.

    Args:
        device: auto (the first GPU, else the CPU), all (a worker a GPU), cpu, cuda or cuda:<index> (default:
            FER_DEVICE, else auto).
        until_idle: stop when nothing is queued or running.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    every = device == "all"
    settings = settings_module.load(device="auto" if every else device)
    if settings.executor in ("local", "inline"):
        devices = present() if every else [resolve(settings)]
        if len(devices) > 1:
            run_fleet(settings, devices, until_idle=until_idle)
            return 0
        settings = settings.model_copy(update={"device": devices[0]})
    executors.EXECUTORS[settings.executor].work(settings, until_idle=until_idle)
    return 0
