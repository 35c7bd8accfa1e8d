"""Faults of what a worker stands on: the disk, the clock, the database's log, single bits, permissions.

Each trial carries small runs out with a fault in the middle and returns what came of it in words; it raises
AssertionError where a run was lost, doubled or changed, or where a command ended in a traceback.
"""

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from fer_core.storage.artifacts import MARGIN

ROOT = Path(__file__).resolve().parents[2]

#: A worker whose clock is off by the seconds that a file says.
SKEWED = """
import time
real, file = time.time, {file!r}
time.time = lambda: real() + float(open(file).read())
"""


def command(
    home: Path, *words: str, before: Sequence[str] = (), limit: float = 900.0
) -> subprocess.CompletedProcess[str]:
    """Run a command of the project on a home; AssertionError where it ends in a traceback."""
    environment = os.environ | {"FER_HOME": str(home), "FER_THREADS": "1"}
    done = subprocess.run(
        [*before, sys.executable, "-m", "fer_core", *words],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=limit,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done


def flip(path: Path) -> None:
    """Change one bit in the middle of a file."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def bits(home: Path, carry_out: Callable[[], None]) -> str:
    """Flip a bit in the largest file of one artifact of each kind, then have `check` find and repair them."""
    kinds = sorted(path for path in (home / "artifacts").iterdir() if path.is_dir())
    for kind in kinds:
        files = [path for path in kind.glob("[!.]*/*") if path.name != "SHA256SUMS"]
        flip(max(files, key=lambda path: path.stat().st_size))
    found = json.loads(command(home, "check", "--json").stdout)["damaged"]
    assert {one["kind"] for one in found} == {kind.name for kind in kinds}, found
    repaired = json.loads(command(home, "check", "--repair", "--json").stdout)["repaired"]
    carry_out()
    left = json.loads(command(home, "check", "--json").stdout)["damaged"]
    assert not left, left
    return f"{len(found)} of {len(kinds)} kinds named, {len(repaired)} repaired, none left"


def wal(home: Path, carry_out: Callable[[], None]) -> str:
    """Delete the log of a SQLite file that nobody has open, and go on as the message says."""
    for path in home.glob("fer.sqlite-*"):
        path.unlink()
    answer = command(home, "jobs")
    if answer.returncode == 2:
        assert "Put a copy of the database back" in answer.stderr, answer.stderr
        assert command(home, "clean").returncode == 2
        (home / "artifacts").rename(home / "set-aside")
    carry_out()
    return (
        "refused in a sentence, then started anew" if answer.returncode else "what was in the file is there"
    )


def rights(home: Path) -> str:
    """Have a user without rights, or a folder without permission where this is no root, ask commands of a home."""
    before: list[str] = []
    if os.geteuid() == 0:
        before = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    places = [home, home.parent / "of-another" / "home"]
    places[1].parent.mkdir(mode=0o500)
    mode = home.stat().st_mode
    home.chmod(0o555)
    try:
        for place in places:
            for words in (["jobs"], ["clean"], ["check"], ["worker", "--until-idle"], ["data", "generate"]):
                done = command(place, *words, before=before)
                assert done.returncode == 2 and len(done.stderr.splitlines()) == 1, (words, done)  # noqa: PT018
    finally:
        home.chmod(mode)
    return "10 commands refused in one sentence each"


def crowd(home: Path, over: threading.Event, seconds: float = 10.0) -> bool:
    """Fill the disk of a home to the last byte while a run is fitted, for so long; return whether that came about."""
    while not any((home / "artifacts").glob("runs/.*.partial")):
        if over.wait(0.02):
            return False
    ballast = home / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12, 1):
            with suppress(OSError):
                while True:
                    file.write(bytes(size))
    asked = command(home, "jobs")  # it may not be able to look, but says so
    assert asked.returncode == 0 or len(asked.stderr.splitlines()) == 1, asked
    over.wait(seconds)
    ballast.unlink()
    return True


def full_disk(home: Path, work: Callable[[Path], list[str]], again: Callable[[Path], None]) -> str:
    """Carry runs out on a small disk, then on one that others fill, then with room.

    Needs the right to mount; returns '' where it isn't there.

    Args:
        work: starts runs in a home, waits until they have ended in any way and returns the errors.
        again: starts them once more and checks them.
    """
    home.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={MARGIN + (3 << 20)}", "tmpfs", str(home)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        return ""
    try:
        small = work(home)
        subprocess.run(["mount", "-o", "remount,size=300M", str(home)], check=True)
        over = threading.Event()
        with ThreadPoolExecutor(1) as other:
            filled = other.submit(crowd, home, over)
            crowded = work(home)
            over.set()
        assert small and filled.result(), (small, filled.result())  # noqa: PT018
        assert all("There must be room" in error for error in small + crowded), (small, crowded)
        subprocess.run(["mount", "-o", "remount,size=2G", str(home)], check=True)
        again(home)
        return (
            f"{len(small)} runs failed in a sentence on a small disk, {len(crowded)} on one that others filled; "
            "with room all ended as they should"
        )
    finally:
        with suppress(subprocess.CalledProcessError):
            for _ in range(20):  # what still has files open there is ending
                if not subprocess.run(["umount", str(home)], capture_output=True, check=False).returncode:
                    break
                time.sleep(0.5)
        shutil.rmtree(home, ignore_errors=True)
