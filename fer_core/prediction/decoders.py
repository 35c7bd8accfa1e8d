"""The processes in which visitors' files are decoded: a few, each with one file at a time, no visitor with two."""

import json
import queue
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress

import numpy as np

from fer_core import ROOT
from fer_core.config.settings import Limits

from .decoder import send
from .fair_queue import FairQueue
from .uploads import FORMATS, MOST_PIXELS, Refusal, Sent, Upload, upload

#: Files decoded at the same time: while one visitor's takes all the time it may, another's is decoded.
AT_ONCE = 2

#: One thread and one arena a process, and what is freed goes back: a bound on memory means what it says.
LEAN = {"OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "1", "MALLOC_MMAP_THRESHOLD_": "1048576"}


class Decoders:
    """Decodes visitors' files apart from this process; as many threads as like may ask."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.queue = FairQueue(AT_ONCE, each=1, waiting=limits.waiting, waiting_each=limits.waiting_each)
        self._idle: queue.LifoQueue[subprocess.Popen[bytes] | None] = queue.LifoQueue()
        for _ in range(AT_ONCE):
            self._idle.put(None)

    def read(self, sent: Sent, visitor: str, report: Callable[[int], None] | None = None) -> Upload | Refusal:
        """Decode one file as `uploads.read` does, within `decoder`'s bounds of memory and time.

        Raises:
            BusyError: too many wait for it; see `FairQueue.turn`.
        """
        with self.queue.turn(visitor, patience=self.limits.patience, report=report):
            process = self._idle.get()
            try:
                if process is None or process.poll() is not None:
                    process = _started()
                found = _ask(process, sent, self.limits)
            except BaseException as error:
                _end(process)
                process = None
                if not isinstance(error, OSError | ValueError):
                    raise
                return Refusal(sent.name, "its decoder broke down")
            finally:
                self._idle.put(process)
        return found


def _started() -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "fer_core.prediction.decoder"]
    pipe = subprocess.PIPE
    # Nothing of this process's environment: an address with a password in it is no matter of a decoder's.
    return subprocess.Popen(command, cwd=ROOT, env=LEAN, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL)


def _end(process: subprocess.Popen[bytes] | None) -> None:
    """Have a process end: it does so when its pipes are closed; a file that it is at has its own bound of time."""
    for pipe in (process.stdin, process.stdout) if process else ():
        with suppress(OSError):
            assert pipe is not None
            pipe.close()


def _ask(process: subprocess.Popen[bytes], sent: Sent, limits: Limits) -> Upload | Refusal:
    """Have a file decoded. Raises OSError or ValueError where the process has ended."""
    assert process.stdin is not None
    assert process.stdout is not None
    asked = {"size": len(sent.data), "max_pixels": limits.megapixels * 1_000_000}
    send(process.stdin, asked | {"most": MOST_PIXELS, "formats": FORMATS}, sent.data)
    answer = json.loads(process.stdout.readline())
    if "reason" in answer:
        return Refusal(sent.name, answer["reason"])
    pixels = np.empty((answer["height"], answer["width"], 3), np.uint8)
    if process.stdout.readinto(pixels.data.cast("B")) != pixels.nbytes:  # type: ignore[attr-defined]
        raise ValueError("an answer ended early")
    return upload(sent.name, pixels, several=answer["several"], scale=answer["scale"])
