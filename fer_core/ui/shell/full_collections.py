"""Python's garbage collection kept short: what lives long is left out of most of its full passes.

A full pass walks every object that there is: with 100 000 frames in the caches it takes half a second, in the midst
of somebody's visit. What outlives one is therefore set aside (`gc.freeze`), and only every so many passes walk it too.
"""

from __future__ import annotations

import gc
from typing import Any

#: Of so many full passes one walks everything, so that cycles which died after they were set aside go as well.
EVERY = 16


class _SetAside:
    def __init__(self) -> None:
        self._passes = 0

    def __call__(self, phase: str, info: dict[str, Any]) -> None:
        """Do before ('start') and after ('stop') each collection what keeps the next one short."""
        if info["generation"] < 2:
            return
        if phase == "stop":
            gc.freeze()
            return
        self._passes += 1
        if self._passes % EVERY == 0:
            gc.unfreeze()


def keep_short() -> None:
    """Have full passes leave out what outlived one before, for the rest of this process; again, it changes nothing."""
    if not any(isinstance(one, _SetAside) for one in gc.callbacks):
        gc.callbacks.append(_SetAside())
