"""What a host has for FER Lab, and what to do about what it lacks: `doctor`."""

import os
import platform
import re
import shutil
import socket
import tempfile
import time
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from humanize import naturalsize

from fer_core import ROOT, __version__
from fer_core.config.devices import resolve
from fer_core.config.settings import Settings
from fer_core.errors import FerError
from fer_core.learning.networks.backbones import BACKBONES, PACKAGED
from fer_core.learning.networks.recognisers import RECOGNISERS
from fer_core.learning.networks.weight_status import how_to_install, weight_status
from fer_core.storage.artifacts import free_bytes
from fer_core.storage.store import Store

from .plans.preparation import drawn

#: Bytes that a demo server takes at most with fifty visitors (docs/deploy.md), and that some runs may take on the disk.
MEMORY, DISK = 2_000_000_000, 5_000_000_000
#: Seconds that this host's clock may differ from its database server's.
SKEW = 5.0
CGROUP = Path("/sys/fs/cgroup/memory.max")
PREPARE = "Prepare what a demo shows, without FER_DEMO: python -m fer_core demo --prepare"

#: What was looked at, what was found, and what to do about it, '' where all is well.
Finding = tuple[str, str, str]


def examine(settings: Settings, port: int) -> Iterator[Finding]:
    """Look at all that FER Lab needs of a host; nothing is changed, and no other machine asked but the database's."""
    yield "versions", *_versions()
    yield "device", *_device(settings)
    yield "weights", *_weights(settings)
    yield "memory", *_memory()
    free = free_bytes(settings.home)
    short = "Free some: python -m fer_core clean --dry-run says what could go" * (free < DISK)
    yield "disk", f"{naturalsize(free)} free beside {settings.home}", short
    for what, place in (("state folder", settings.home), ("temporary files", Path(tempfile.gettempdir()))):
        near = next(folder for folder in (place, *place.parents) if folder.exists())
        bad = not os.access(near, os.W_OK | os.X_OK) and not (settings.demo and place == settings.home)
        yield what, str(place), f"Make {near} writable, or name another folder" * bad
    yield from _database(settings)
    try:
        socket.create_server(("127.0.0.1", port)).close()
        yield "port", f"{port} is free", ""
    except OSError as error:
        yield (
            "port",
            f"{port}: {error.strerror}",
            "Unless that is FER Lab itself, serve on another: serve --port",
        )


def _versions() -> tuple[str, str]:
    pinned = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    have = {one.metadata["Name"].lower().replace("_", "-"): one.version for one in metadata.distributions()}
    other = [
        f"{name} {found or 'missing'} instead of {pin}"
        for name, pin in re.findall(r"^([\w-]+)==(\S+)", pinned, re.MULTILINE)
        if (found := have.get(name.lower(), "").partition("+")[0]) != pin
    ]
    said = f"FER Lab {__version__}, Python {platform.python_version()}, "
    said += ", ".join(other) or "packages as in requirements.txt"
    return said, "pip install -r requirements.txt" * bool(other)


def _device(settings: Settings) -> tuple[str, str]:
    try:
        device = resolve(settings)
    except FerError as error:
        return str(error.got), error.fix
    if device == "cpu":
        unseen = settings.device == "auto" and shutil.which("nvidia-smi")
        do = "torch sees none of this host's GPUs: see docs/gpu.md, or set FER_DEVICE=cpu"
        return f"CPU, {os.cpu_count()} cores", do if unseen else ""
    import torch

    free, whole = torch.cuda.mem_get_info(torch.device(device))
    found = (
        f"{device}, {torch.cuda.get_device_name(device)}, {naturalsize(free)} of {naturalsize(whole)} free"
    )
    return found, "" if free > MEMORY else "End what else fills the GPU"


def _weights(settings: Settings) -> tuple[str, str]:
    rows = {name: row for name, row in BACKBONES.items() if row.weights}
    state = {
        name: weight_status(name, row.pretrained, settings.weights_dir).state for name, row in rows.items()
    }
    here = {name for name in rows if state[name] == "here"}
    lacking = [rows[name] for name in sorted({PACKAGED, *RECOGNISERS} - here)]
    found = f"{', '.join(sorted(here)) or 'none'}; not here: {', '.join(sorted({*rows} - here)) or 'none'}"
    return found, "; ".join(map(how_to_install, lacking))


def _memory() -> tuple[str, str]:
    told = Path("/proc/meminfo")
    line = re.search(r"^MemAvailable: +(\d+)", told.read_text() if told.is_file() else "", re.MULTILINE)
    if not line:
        return "not told by this system", ""
    free = int(line[1]) * 1024
    if CGROUP.is_file() and (bound := CGROUP.read_text().strip()).isdigit():
        free = min(free, int(bound))
    few = f"A demo with many visitors takes {naturalsize(MEMORY)}: see Memory in docs/deploy.md"
    return f"{naturalsize(free)} to be had", few * (free < MEMORY)


def _database(settings: Settings) -> Iterator[Finding]:
    latest, ahead = Path(__file__).stat().st_mtime, 0.0
    found, do = "none yet: it is made when it is needed", PREPARE if settings.demo else ""
    if settings.database_url or Path(settings.database.database or "").exists():
        try:
            store = Store(settings.database, read_only=True, patience=3.0)
            counts, latest = store.counts(), max([latest, *(run.created for run in store.runs(limit=1))])
            ahead = store.now() - time.time()
            store.close()
            found = f"{store}, runs: {', '.join(f'{number} {status}' for status, number in counts.items())}"
            do *= not (counts["done"] and (settings.published or drawn(settings)))
        except FerError as error:
            found, do = str(error.got or error.rule), error.fix
    yield "database", found, do
    late = "It is before this code or the newest run, or not the database server's: set it, as by NTP"
    wrong = abs(ahead) > SKEW or latest > time.time() + SKEW
    yield "clock", time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime()), late * wrong
