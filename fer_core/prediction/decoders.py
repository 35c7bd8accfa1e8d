"""What visitors share fairly: turns on a device, and the processes in which their files are decoded."""

import json
import queue
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import count

import numpy as np

from fer_core import ROOT
from fer_core.config.settings import Limits
from fer_core.errors import BusyError

from .decoder import send
from .uploads import FORMATS, MOST_PIXELS, Refusal, Sent, Upload, upload

#: (round, number, visitor): of two tickets the smaller one is served first.
Ticket = tuple[int, int, str]


class FairQueue:
    """Turns on something that `slots` threads may use at once.

    Args:
        slots: turns at the same time.
        waiting: most that wait over all visitors; one more is refused at once.
        waiting_each: most that wait of one visitor.
        each: turns that one visitor holds at the same time; as many as there are unless given.
    """

    def __init__(self, slots: int, *, waiting: int, waiting_each: int, each: int | None = None) -> None:
        self.waiting, self.waiting_each, self.each = waiting, waiting_each, each or slots
        self._held: Counter[str] = Counter()
        self._free = slots
        self._changed = threading.Condition()
        self._tickets: list[Ticket] = []
        self._numbers = count()
        #: The round that is being served, and who has had a turn in it.
        self._round, self._served = 0, set[str]()

    @contextmanager
    def turn(
        self, visitor: str, *, patience: float, report: Callable[[int], None] | None = None
    ) -> Iterator[None]:
        """Wait for a turn and hold it for the body. A thread that holds one must not ask for another.

        Args:
            visitor: who asks, any text; the same text shares one place in the round.
            patience: seconds to wait at most.
            report: called with the number of turns that come first, whenever it has changed; may raise to leave.

        Raises:
            BusyError: the queue is full, for all or for this visitor, or patience ran out.
        """
        end = time.monotonic() + patience
        with self._changed:
            ticket = self._admit(visitor)
            try:
                self._wait(ticket, end, report)
            finally:
                self._tickets.remove(ticket)
                self._changed.notify_all()
            self._free -= 1
            self._held[visitor] += 1
            if ticket[0] != self._round or not self._tickets:
                self._served.clear()
            self._round = ticket[0]
            self._served.add(visitor)
        try:
            yield
        finally:
            with self._changed:
                self._free += 1
                self._held -= Counter([visitor])  # drops those at nought
                self._changed.notify_all()

    def __len__(self) -> int:
        """Return how many wait."""
        return len(self._tickets)

    def _wait(self, ticket: Ticket, end: float, report: Callable[[int], None] | None) -> None:
        last = -1
        while (ahead := self._ahead(ticket)) or not self._free or self._full(ticket):
            if report and ahead != last:
                last = ahead
                self._changed.release()  # what is called may be slow
                try:
                    report(ahead)
                finally:
                    self._changed.acquire()
                continue
            if (left := end - time.monotonic()) <= 0:
                raise BusyError(
                    "The device must come free within the time a visitor waits",
                    got=f"{ahead} turns still ahead",
                    fix="Many people are predicting right now: try again in a minute",
                )
            self._changed.wait(left)

    def _ahead(self, ticket: Ticket) -> int:
        return sum(other < ticket and not self._full(other) for other in self._tickets)

    def _full(self, ticket: Ticket) -> bool:
        return self._held[ticket[2]] >= self.each

    def _admit(self, visitor: str) -> Ticket:
        """Return a visitor's ticket: in the first round in which they neither wait nor had a turn."""
        rounds = [ticket[0] for ticket in self._tickets if ticket[2] == visitor]
        if len(rounds) >= self.waiting_each:
            raise BusyError(
                f"At most {self.waiting_each} requests of one visitor wait at a time",
                got=f"{len(rounds)} waiting",
                fix="Let the ones in your other tabs end first",
            )
        if len(self._tickets) >= self.waiting:
            raise BusyError(
                f"At most {self.waiting} requests wait for the device",
                got=f"{len(self._tickets)} waiting",
                fix="Many people are predicting right now: try again in a minute",
            )
        first = self._round + (visitor in self._served)
        ticket = (max(rounds) + 1 if rounds else first, next(self._numbers), visitor)
        self._tickets.append(ticket)
        return ticket


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
