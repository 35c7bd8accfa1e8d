"""What the device has computed for all visitors: looked up at once, computed once, in a turn of the device's."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from contextlib import AbstractContextManager
from typing import Any

import streamlit as st

#: Waits for the device and holds it; raises BusyError.
Turn = Callable[[], AbstractContextManager[None]]

_NOTHING = object()


class Computed:
    """The latest results by key, at most so many; they are shared and stay as they are."""

    def __init__(self, most: int) -> None:
        self._most, self._lock = most, threading.Lock()
        self._kept: OrderedDict[Hashable, Any] = OrderedDict()

    def look(self, key: Hashable, otherwise: Any = None) -> Any:
        """Return what is kept under a key, or something else."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
            return self._kept.get(key, otherwise)

    def keep(self, key: Hashable, found: Any) -> None:
        """Keep a result; the one longest not looked up goes where there are too many."""
        with self._lock:
            self._kept[key] = found
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)

    def get(self, key: Hashable, make: Callable[[], Any], turn: Turn) -> Any:
        """Return what is kept under a key, or make it in a turn. Who waited while another made it takes that."""
        if (found := self.look(key, _NOTHING)) is _NOTHING:
            with turn():
                if (found := self.look(key, _NOTHING)) is _NOTHING:
                    found = make()
                    self.keep(key, found)
        return found


@st.cache_resource(show_spinner=False)
def computed(kind: str, most: int) -> Computed:
    """Return the results of a kind that this server keeps."""
    return Computed(most)
