"""Limits: refused with a sentence, counted per visitor and over all."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextvars import ContextVar

import pytest

from fer_core.errors import BusyError, DataError
from fer_core.prediction import limits
from fer_core.prediction.limits import Rate


@pytest.fixture(autouse=True)
def _fresh_guard() -> Iterator[None]:
    limits.guard.cache_clear()
    yield
    limits.guard.cache_clear()


def test_a_rate_is_per_visitor_refills_evenly_and_says_when() -> None:
    now = [0.0]
    rate = Rate(6, 100, clock=lambda: now[0])
    rate.take("a", 6)
    with pytest.raises(BusyError, match="Try again in 21 seconds"):
        rate.take("a", 2)
    rate.take("b", 6)
    now[0] = 20.0
    rate.take("a", 2)
    with pytest.raises(BusyError, match="Send fewer"):
        rate.take("a", 7)


def test_a_rate_over_all_holds_for_all_and_takes_nothing_when_it_refuses() -> None:
    now = [0.0]
    rate = Rate(6, 10, clock=lambda: now[0])
    rate.take("a", 6)
    with pytest.raises(BusyError, match="all visitors"):
        rate.take("b", 6)
    rate.take("b", 4)
    now[0] = 60.0
    rate.take("b", 6)


def test_visitors_long_unseen_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "REMEMBERED", 3)
    rate = Rate(6, 1000, clock=lambda: 0.0)
    for visitor in "abcd":
        rate.take(visitor, 6)
    rate.take("a", 6)  # forgotten, so all its tokens are there
    with pytest.raises(BusyError):
        rate.take("d", 1)


def test_the_process_wide_guard_follows_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FER_LIMITS", "images_per_minute=2,waiting=1,patience=1")
    limits.admit("a", 2)
    with pytest.raises(BusyError):
        limits.admit("a", 1)
    with limits.device_turn("a"), pytest.raises(BusyError), limits.device_turn("b"):
        pass


def test_one_thread_computes_for_all_and_an_error_reaches_the_visitor_whose_it_is() -> None:
    asking: ContextVar[str] = ContextVar("asking")
    threads, found = set(), {}

    def work(number: int) -> tuple[str, int]:
        threads.add(threading.get_ident())
        if asking.get() == "b":
            raise DataError("an image must be one", got="none")
        return asking.get(), number

    def visit(visitor: str) -> None:
        asking.set(visitor)
        for number in range(3):
            with limits.device_turn(visitor):
                try:
                    found[visitor, number] = limits.compute(work, number=number)
                except DataError as error:
                    found[visitor, number] = error.got

    visits = [threading.Thread(target=visit, args=(visitor,)) for visitor in "abc"]
    for one in visits:
        one.start()
    for one in visits:
        one.join(60)
    assert len(threads) == 1
    assert not threads & {threading.get_ident(), *(one.ident for one in visits)}
    for number in range(3):
        assert found["b", number] == "none"
        assert [found[visitor, number] for visitor in "ac"] == [("a", number), ("c", number)]
