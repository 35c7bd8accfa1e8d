"""What a process has one of, whichever thread asks for it first."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import cache, update_wrapper
from typing import Generic, TypeVar

T = TypeVar("T")


class once(Generic[T]):
    """A function of no arguments called once: `functools.cache` calls it in each thread that asks meanwhile.

    What it raises is raised, and it is called again by whoever asks next. `cache_clear` forgets what it returned.
    """

    def __init__(self, make: Callable[[], T]) -> None:
        self._made, self._lock = cache(make), threading.RLock()
        self.cache_clear = self._made.cache_clear
        update_wrapper(self, make)

    def __call__(self) -> T:
        """Return what the function returned, and wait where another thread is in it."""
        with self._lock:
            return self._made()
