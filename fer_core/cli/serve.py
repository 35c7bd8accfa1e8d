"""`serve`, `worker`, `doctor`, `check`, `clean`: the dashboard, the process that trains, the host, what lies on it."""

import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import webbrowser
from dataclasses import asdict
from typing import Any

from humanize import naturalsize
from pydantic import ByteSize, TypeAdapter, ValidationError

from fer_core import ROOT
from fer_core.config import settings as settings_module
from fer_core.config.base import refused
from fer_core.config.devices import present, resolve
from fer_core.errors import ConfigError
from fer_core.runs import host
from fer_core.runs.jobs import executors, queue
from fer_core.runs.jobs.executors import GRACE_SECONDS, run_fleet
from fer_core.runs.jobs.processes import end_all
from fer_core.runs.jobs.queue import submit
from fer_core.runs.plans.preparation import PREPARATION, drawn
from fer_core.storage import home
from fer_core.storage.artifacts import free_bytes
from fer_core.storage.disk import COMPUTED, FACES, LOOKED_UP, RUNS, collect

from .context import Context
from .options import Json
from .output import answer, note, print_json, print_table, progress

APP = ROOT / "app.py"
DAY_SECONDS = 86400.0

#: Each visit runs in its own threads, and glibc keeps freed memory apart for each of many: two such arenas
#: hold a busy dashboard a few hundred MB smaller (`benchmarks/load.py`). OpenMP's threads spin while they wait for one
#: another, which on cores that others use too makes an answer take four times as long. What is set already counts.
LEAN = {"MALLOC_ARENA_MAX": "2", "OMP_WAIT_POLICY": "PASSIVE"}


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
    processes, environment = [], os.environ | context.settings.environment()
    if not no_worker and not context.settings.demo:
        command = [sys.executable, "-m", "fer_core", "worker", *executors.every_device(context.settings)]
        # In a group of its own: Ctrl-C reaches this process, which then ends the worker orderly.
        processes.append(subprocess.Popen(command, cwd=ROOT, env=environment, process_group=0))
    command = [sys.executable, "-m", "streamlit", "run", str(APP)]
    command += ["--server.port", str(port), "--server.address", address]
    command += ["--server.maxUploadSize", str(context.settings.limits.upload_mb)]
    url = f"http://{address}:{port}"
    note(f"FER Lab is at {url} (stop with Ctrl-C)")
    if settings_module.read(settings_module.Host).screen:
        opening = threading.Timer(4.0, webbrowser.open, [url])  # once the server answers
        opening.daemon = True
        opening.start()
    processes.append(subprocess.Popen(command, cwd=ROOT, env=LEAN | environment))
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


def check(*, repair: bool = False, json: Json = False) -> int:
    """Carry out `check`; 1 when something is damaged and was not repaired.

    Args:
        repair: delete what is damaged and can be made again, and queue the finished runs that must make it.
    """
    context = Context.open()
    context.store.check()
    with progress("comparing sums") as show:
        found = home.check(context.store, context.artifacts, show)
    mended = [one for one in found.damaged if repair and _mend(context, one)]
    if any(one.run for one in mended):
        executors.launch(context.settings)
    document = {**asdict(found), "repaired": [f"{one.kind}/{one.key}" for one in mended]}
    answer(json, document, _print_damage)
    return 0 if len(mended) == len(found.damaged) else 1


def doctor(*, port: int = 8501, json: Json = False) -> int:
    """Carry out `doctor`; 1 when there is something to do.

    Args:
        port: the dashboard's, looked at too.
    """
    found = list(host.examine(settings_module.load(), port))

    def show(_: object) -> None:
        for what, seen, do in found:
            print(f"{'to do' if do else 'ok':7}{what:17}{seen}" + (f"\n{'':24}{do}" if do else ""))

    answer(json, [dict(zip(("what", "found", "do"), one, strict=True)) for one in found], show)
    return int(any(do for *_, do in found))


def _mend(context: Context, one: home.Damage) -> bool:
    """Delete what is damaged if it can be made again, and have it made where only a finished run does."""
    if not one.run and one.kind not in (*FACES, *COMPUTED, LOOKED_UP):
        return False
    context.artifacts.delete(one.kind, one.key)
    return not one.run or queue.retry(context.store, one.run, done=True) or one.run in context.store.active()


def _print_damage(found: dict[str, Any]) -> None:
    rows = [
        {
            "artifact": f"{one['kind']}/{one['key']}",
            "file": name or "all",
            "is": problem,
            "had again": one["again"],
        }
        for one in found["damaged"]
        for name, problem in one["files"].items()
    ]
    if rows:
        print_table(rows, rows[0])
    damaged, repaired = len(found["damaged"]) or "none", len(found["repaired"])
    print(
        f"{found['artifacts']} artifacts, {naturalsize(found['bytes'])}: {damaged} damaged, {repaired} repaired"
    )
    print("The database is whole")
    if found["summed"]:
        print(f"{found['summed']} were made before there were sums: taken as they are, and summed now")


def _size(given: str) -> int:
    try:
        return TypeAdapter(ByteSize).validate_python(given)
    except ValidationError as error:
        raise refused(error, "--limit") from error


def clean(
    *, older_than: float = 0.0, limit: str | None = None, dry_run: bool = False, json: Json = False
) -> int:
    """Carry out `clean`.

    Args:
        older_than: only what has not been used for so many days.
        limit: stop once all artifacts take less, such as 20GB (default: no stop).
        dry_run: delete nothing, print what would go.
    """
    if not 0 <= older_than < float("inf"):
        raise ConfigError("--older-than must be a number of days, 0 or more", got=older_than)
    most = None if limit is None else _size(limit)
    context = Context.open()
    uses = collect(context.artifacts, context.store, limit=most, age=older_than * DAY_SECONDS, dry=dry_run)
    total = sum(use.bytes for use in uses)
    freed = sum(use.collected for use in uses)
    free = free_bytes(context.settings.home)
    kinds = [asdict(use) for use in uses]
    if json:
        print_json({"kinds": kinds, "bytes": total, "collected": freed, "dry_run": dry_run, "free": free})
        return 0
    print_table(kinds, ("kind", "artifacts", "bytes", "collectable", "collected"))
    done = "would be deleted" if dry_run else "deleted"
    print(f"\n{naturalsize(freed)} of {naturalsize(total)} {done}; {naturalsize(free)} are free on the disk")
    if any(use.kind == RUNS and use.collectable for use in uses) and dry_run:
        note(
            "Among them are networks of runs that this database doesn't know: they can't be made again from it."
        )
    if most is not None and total - freed > most:
        note(
            f"{naturalsize(total - freed)} remain, more than {naturalsize(most)}: runs need them, or they are in use."
        )
    return 0
