"""A bounded queue for a device that few may use at once: turns go round robin over those who wait.

A visitor who asks for fifty turns delays another by one of them a round, not by fifty. Threads of one process only.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count

from fer_core.errors import BusyError

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
