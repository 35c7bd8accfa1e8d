"""A bounded queue for a device that few may use at once: turns go round robin over those who wait.

A visitor who asks for fifty turns delays another by one of them, not by fifty. Threads of one process only.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from fer_core.errors import BusyError


class FairQueue:
    """Turns on something that `slots` threads may use at once.

    Args:
        slots: turns at the same time.
        waiting: most that wait over all visitors; one more is refused at once.
        waiting_each: most that wait of one visitor.
    """

    def __init__(self, slots: int, *, waiting: int, waiting_each: int) -> None:
        self.waiting, self.waiting_each = waiting, waiting_each
        self._free = slots
        self._changed = threading.Condition()
        #: Visitor -> own tickets, oldest first; the first visitor is the next to be served.
        self._queues: OrderedDict[str, deque[object]] = OrderedDict()

    @contextmanager
    def turn(
        self, visitor: str, *, patience: float, told: Callable[[int], None] | None = None
    ) -> Iterator[None]:
        """Wait for a turn and hold it for the body. A thread that holds one must not ask for another.

        Args:
            visitor: who asks, any text; the same text shares one place in the round.
            patience: seconds to wait at most.
            told: called with the number of turns that come first, whenever it has changed; may raise to leave.

        Raises:
            BusyError: the queue is full, for all or for this visitor, or patience ran out.
        """
        self._wait(visitor, time.monotonic() + patience, told)
        try:
            yield
        finally:
            with self._changed:
                self._free += 1
                self._changed.notify_all()

    def place(self, visitor: str, ticket: object) -> int:
        """Return how many waiting turns come before a ticket, as the round stands now."""
        rank = self._queues[visitor].index(ticket)
        before, position = 0, list(self._queues).index(visitor)
        for index, tickets in enumerate(self._queues.values()):
            if index != position:
                before += min(len(tickets), rank + (index < position))
        return before + rank

    def _wait(self, visitor: str, end: float, told: Callable[[int], None] | None) -> None:
        ticket = object()
        with self._changed:
            self._admit(visitor)
            self._queues.setdefault(visitor, deque()).append(ticket)
            last = -1
            try:
                while not self._served(visitor, ticket):
                    if (place := self.place(visitor, ticket)) != last:
                        last = place
                        if told:
                            self._tell(told, place)
                            continue  # the lock was let go meanwhile
                    if (left := end - time.monotonic()) <= 0:
                        raise BusyError(
                            "The device must come free within the time a visitor waits",
                            got=f"{place} turns still ahead",
                            fix="Many people are predicting right now: try again in a minute",
                        )
                    self._changed.wait(left)
            except BaseException:
                self._leave(visitor, ticket)
                raise

    def _tell(self, told: Callable[[int], None], place: int) -> None:
        """Call back without the lock: what is told may be slow."""
        self._changed.release()
        try:
            told(place)
        finally:
            self._changed.acquire()

    def _admit(self, visitor: str) -> None:
        own = len(self._queues.get(visitor, ()))
        if own >= self.waiting_each:
            raise BusyError(
                f"At most {self.waiting_each} requests of one visitor wait at a time",
                got=f"{own} waiting",
                fix="Let the ones in your other tabs end first",
            )
        if (total := sum(map(len, self._queues.values()))) >= self.waiting:
            raise BusyError(
                f"At most {self.waiting} requests wait for the device",
                got=f"{total} waiting",
                fix="Many people are predicting right now: try again in a minute",
            )

    def _served(self, visitor: str, ticket: object) -> bool:
        """Take a slot if there is one and it is this ticket's turn."""
        first = next(iter(self._queues))
        if not self._free or first != visitor or self._queues[visitor][0] is not ticket:
            return False
        self._free -= 1
        self._leave(visitor, ticket)
        if visitor in self._queues:
            self._queues.move_to_end(visitor)
        return True

    def _leave(self, visitor: str, ticket: object) -> None:
        tickets = self._queues[visitor]
        tickets.remove(ticket)
        if not tickets:
            del self._queues[visitor]
        self._changed.notify_all()
