"""Turns on the device: never more at once than slots, round robin over visitors, bounded, patient."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from worker_case import wait_for

from fer_core.errors import BusyError
from fer_core.prediction.fair_queue import FairQueue


class Case:
    """A queue whose only slot is held until `open`, and threads that note the order of their turns."""

    def __init__(self, **limits: int) -> None:
        self.queue = FairQueue(1, **{"waiting": 64, "waiting_each": 64} | limits)
        self.order: list[str] = []
        self.places: list[int] = []
        self.gate, held = threading.Event(), threading.Event()
        self.threads: list[threading.Thread] = []

        def hold() -> None:
            with self.queue.turn("holder", patience=20):
                held.set()
                self.gate.wait(20)

        self._begin(hold)
        assert held.wait(20)

    def _begin(self, target: Callable[[], None]) -> None:
        self.threads.append(threading.Thread(target=target, daemon=True))
        self.threads[-1].start()

    def ask(self, visitor: str, again: str = "") -> None:
        """Have a visitor wait for a turn, and ask for another once it has come where `again` names them."""
        before, first = len(self.queue), threading.Event()

        def report(ahead: int) -> None:
            if not first.is_set():
                self.places.append(ahead)
                first.set()

        def work() -> None:
            with self.queue.turn(visitor, patience=20, report=report):
                self.order.append(visitor)
                if again:
                    self.ask(again)

        self._begin(work)
        assert first.wait(20)
        wait_for(lambda: len(self.queue) >= before + 1)

    def open(self) -> list[str]:
        self.gate.set()
        for thread in self.threads:  # those begun meanwhile as well
            thread.join(20)
            assert not thread.is_alive()
        return self.order


def test_turns_go_round_the_visitors_and_places_count_what_comes_first() -> None:
    case = Case()
    for visitor in ("a", "a", "a", "b", "c", "c"):
        case.ask(visitor)
    assert case.places == [0, 1, 2, 1, 2, 4]
    assert case.open() == ["a", "b", "c", "a", "c", "a"]
    assert len(case.queue) == 0


def test_who_comes_later_waits_for_one_turn_of_another_and_who_had_one_for_all() -> None:
    case = Case()
    case.ask("a", again="new")  # while a's first turn is on
    for visitor in ("a", "a"):
        case.ask(visitor)
    assert case.open() == ["a", "new", "a", "a"]
    case = Case()
    case.ask("a", again="a")
    for visitor in ("b", "b"):
        case.ask(visitor)
    assert case.open() == ["a", "b", "b", "a"]


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

    with ThreadPoolExecutor(12) as pool:
        list(pool.map(work, "012301230123"))
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


def test_who_has_no_patience_or_leaves_leaves_the_queue() -> None:
    case = Case()
    with pytest.raises(BusyError, match="0 turns still ahead"), case.queue.turn("a", patience=0.05):
        pass
    case.ask("b")
    seen: list[int] = []

    def leave(ahead: int) -> None:
        seen.append(ahead)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), case.queue.turn("c", patience=20, report=leave):
        pass
    assert seen == [1]
    assert case.open() == ["b"]


def test_an_error_in_a_turn_gives_it_back() -> None:
    queue = FairQueue(1, waiting=1, waiting_each=1)
    with pytest.raises(ZeroDivisionError), queue.turn("a", patience=1):
        raise ZeroDivisionError
    with queue.turn("b", patience=1):
        pass


def test_one_visitor_holds_no_more_than_their_share_and_delays_nobody_else() -> None:
    queue = FairQueue(2, waiting=8, waiting_each=8, each=1)
    with queue.turn("a", patience=9):
        waiting = threading.Thread(target=lambda: queue.turn("a", patience=60).__enter__())
        waiting.start()
        wait_for(lambda: len(queue) == 1)
        with queue.turn("b", patience=60):  # though another waits before it
            assert len(queue) == 1
            with pytest.raises(BusyError), queue.turn("b", patience=0.01):
                pass
    waiting.join(60)
    assert not waiting.is_alive()
