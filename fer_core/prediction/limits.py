"""How much visitors may ask for, each and together: size, count, pixels, rate, and turns on the device.

The limits are the settings' (`FER_LIMITS`). What is refused is refused with a sentence for the visitor; nothing
about a visitor is kept but a number of tokens in memory. A demo counts for its owner how often (`Visits`).
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from contextvars import copy_context
from functools import partial
from typing import Any, TypeVar

from fer_core.config.devices import resolve
from fer_core.config.once import once
from fer_core.config.settings import Settings, load
from fer_core.errors import BusyError
from fer_core.storage.database.visits import Visits

from .decoders import Decoders
from .fair_queue import FairQueue
from .uploads import Refusal, Sent, Upload

T = TypeVar("T")

#: Visitors whose tokens are remembered; the longest unseen are forgotten first.
REMEMBERED = 10_000


class Rate:
    """Token buckets, one a visitor and one for all: `per_minute` at once, refilled evenly."""

    def __init__(self, each: int, overall: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._each, self._overall, self._clock = each, overall, clock
        self._lock = threading.Lock()
        self._left: OrderedDict[str | None, tuple[float, float]] = (
            OrderedDict()
        )  # tokens and since when; None: all

    def take(self, visitor: str, count: int) -> None:
        """Take tokens, from both buckets or from none.

        Raises:
            BusyError: there are too few; it says after how many seconds there will be enough.
        """
        with self._lock:
            now, taken = self._clock(), dict[str | None, tuple[float, float]]()
            asked = (visitor, self._each, "one visitor"), (None, self._overall, "all visitors")
            for key, rate, who in asked:
                tokens, since = self._left.get(key, (float(rate), now))
                have = min(float(rate), tokens + (now - since) * rate / 60)
                if count > have:
                    seconds = int((count - have) * 60 / rate) + 1
                    later = f"Try again in {seconds} second{'s' * (seconds > 1)}"
                    raise BusyError(
                        f"At most {rate} images a minute are classified for {who}",
                        got=f"{count} at once" if count > rate else f"{count} more",
                        fix="Send fewer at a time" if count > rate else later,
                    )
                taken[key] = have - count, now
            for key, left in taken.items():
                self._left[key] = left
                self._left.move_to_end(key)
            if len(self._left) > REMEMBERED + 1:
                self._left.popitem(last=False)


class Guard:
    """The limits of one server, counted, and the threads that compute for all its visitors.

    Those are one on a GPU, where cuDNN plans anew in each thread for each shape, and on a CPU as many as turns.
    """

    def __init__(self, settings: Settings) -> None:
        self.limits = limits = settings.limits
        self.rate = Rate(limits.images_per_minute, limits.all_images_per_minute)
        self.files = Rate(limits.images_per_minute, limits.all_images_per_minute)
        self.decoders = Decoders(limits)
        self.queue = FairQueue(limits.turns, waiting=limits.waiting, waiting_each=limits.waiting_each)
        several = limits.turns > 1 and resolve(settings) == "cpu"
        self.threads = ThreadPoolExecutor(limits.turns if several else 1, thread_name_prefix="device")


@once
def guard() -> Guard:
    """Return the guard of this process, made at first use."""
    return Guard(load())


def demo() -> Visits | None:
    """Return what a demo counts, and whether it is paused; None where this is none."""
    settings = load()
    return Visits(settings.home) if settings.demo else None


def count(**numbers: float) -> None:
    """Count something for a demo's owner; see `Visits.count`."""
    if visits := demo():
        visits.count(**numbers)


@contextmanager
def _refusals() -> Iterator[None]:
    """Refuse all where the demo is paused, and count what the body refuses."""
    if (visits := demo()) and visits.paused.exists():
        raise BusyError("This demo is paused by its owner", fix="Come back later")
    try:
        yield
    except BusyError:
        count(refused=1)
        raise


def admit_files(visitor: str, files: int) -> None:
    """Count files before they are decoded; as many are let in as images are. Raises BusyError."""
    with _refusals():
        guard().files.take(visitor, files)


def read(sent: Sent, visitor: str, report: Callable[[int], None] | None = None) -> Upload | Refusal:
    """Decode a visitor's file apart from this process; see `Decoders.read`. Raises BusyError."""
    with _refusals():
        return guard().decoders.read(sent, visitor, report)


def admit(visitor: str, images: int) -> None:
    """Count images that a visitor wants classified. Raises BusyError where it is too many a minute."""
    with _refusals():
        guard().rate.take(visitor, images)


@contextmanager
def device_turn(visitor: str, report: Callable[[int], None] | None = None) -> Iterator[None]:
    """Wait for the device and hold it for the body; see `FairQueue.turn`. Raises BusyError."""
    asked = time.monotonic()
    with ExitStack() as turn:
        with _refusals():
            turn.enter_context(guard().queue.turn(visitor, patience=guard().limits.patience, report=report))
        count(turns=1, waited=time.monotonic() - asked)
        yield


def compute(work: Callable[..., T], *given: Any, **named: Any) -> T:
    """Do what needs the device in a thread that computes for all, in a turn of its own, and wait for it.

    What it raises is raised here, and `work` sees the context variables of here. It must not call Streamlit.
    """
    return guard().threads.submit(copy_context().run, partial(work, *given, **named)).result()
