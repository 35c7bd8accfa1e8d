"""Turns on the device: never more at once than slots, round robin over visitors, bounded, patient."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from fer_core.errors import BusyError
from fer_core.prediction.fair_queue import FairQueue


def wait_until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not true():
        assert time.monotonic() < end
        time.sleep(0.002)


class Case:
    """A queue whose only slot is held until `open`, and threads that note the order of their turns."""

    def __init__(self, **limits: int) -> None:
        self.queue = FairQueue(1, **{"waiting": 64, "waiting_each": 64} | limits)
        self.order: list[str] = []
        self.gate = threading.Event()
        self.threads: list[threading.Thread] = []
        self.begin(self._hold)
        wait_until(lambda: self.queue._free == 0)

    def begin(self, target: Callable[[], None]) -> None:
        self.threads.append(threading.Thread(target=target, daemon=True))
        self.threads[-1].start()

    def _hold(self) -> None:
        with self.queue.turn("holder", patience=20):
            self.gate.wait(20)

    def ask(self, visitor: str) -> None:
        before = self.waiting()

        def work() -> None:
            with self.queue.turn(visitor, patience=20):
                self.order.append(visitor)

        self.begin(work)
        wait_until(lambda: self.waiting() == before + 1)

    def waiting(self) -> int:
        return sum(len(tickets) for tickets in self.queue._queues.values())

    def open(self) -> list[str]:
        self.gate.set()
        for thread in self.threads:
            thread.join(20)
            assert not thread.is_alive()
        return self.order


def test_turns_go_round_the_visitors() -> None:
    case = Case()
    for visitor in ("a", "a", "a", "b", "c", "c"):
        case.ask(visitor)
    assert case.open() == ["a", "b", "c", "a", "c", "a"]
    assert not case.queue._queues


def test_a_place_counts_the_turns_that_will_come_first() -> None:
    case = Case()
    for visitor in ("a", "a", "a", "b", "c", "c"):
        case.ask(visitor)
    places = {
        case.queue.place(visitor, ticket): visitor
        for visitor, tickets in case.queue._queues.items()
        for ticket in tickets
    }
    assert [places[index] for index in range(6)] == case.open()


def test_never_more_turns_at_once_than_slots_and_all_are_served() -> None:
    queue, held, most, served = FairQueue(2, waiting=99, waiting_each=99), 0, 0, 0
    lock = threading.Lock()

    def work(visitor: str) -> None:
        nonlocal held, most, served
        for _ in range(5):
            with queue.turn(visitor, patience=20):
                with lock:
                    held, most = held + 1, max(most, held + 1)
                time.sleep(0.001)
                with lock:
                    held, served = held - 1, served + 1

    threads = [threading.Thread(target=work, args=(str(index % 4),)) for index in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert (most, served, held) == (2, 60, 0)


def test_a_full_queue_refuses_at_once_and_one_visitor_can_not_fill_it() -> None:
    case = Case(waiting=3, waiting_each=2)
    case.ask("a")
    case.ask("a")
    with pytest.raises(BusyError, match="one visitor"), case.queue.turn("a", patience=20):
        pass
    case.ask("b")
    with pytest.raises(BusyError, match="try again"), case.queue.turn("c", patience=20):
        pass
    assert case.open() == ["a", "b", "a"]


def test_patience_ends_and_leaves_the_queue() -> None:
    case = Case()
    with pytest.raises(BusyError, match="0 turns still ahead"), case.queue.turn("a", patience=0.05):
        pass
    assert case.waiting() == 0
    case.ask("b")
    assert case.open() == ["b"]


def test_a_waiting_visitor_is_told_its_place_and_may_leave() -> None:
    case = Case()
    case.ask("a")
    told: list[int] = []

    def tell(place: int) -> None:
        told.append(place)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), case.queue.turn("b", patience=20, told=tell):
        pass
    assert told == [1]
    assert case.open() == ["a"]


def test_an_error_in_a_turn_gives_it_back() -> None:
    queue = FairQueue(1, waiting=1, waiting_each=1)
    with pytest.raises(ZeroDivisionError), queue.turn("a", patience=1):
        raise ZeroDivisionError
    with queue.turn("b", patience=1):
        pass
