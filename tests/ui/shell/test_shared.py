"""Shared answers' cards last a day, and only so many of them."""

from __future__ import annotations

from fer_core.ui.shell.shared import LASTS, MOST, MOST_BYTES, Shared, shared


def test_a_card_lasts_a_day_under_a_name_of_its_own() -> None:
    now = [100.0]
    cards = Shared(lambda: now[0])
    names = [cards.keep("Happy 90 %", "Most likely happy.", bytes([number])) for number in range(3)]
    assert len({*names}) == 3
    assert min(map(len, names)) >= 22  # 128 bits
    found = cards.find(names[1])
    assert found is not None
    assert (found.title, found.png) == ("Happy 90 %", b"\1")
    assert cards.find("") is cards.find(names[0][:-1]) is None
    now[0] += LASTS
    assert [cards.find(name) for name in names] == [None] * 3


def test_the_oldest_make_room() -> None:
    cards = Shared()
    names = [cards.keep("", "", b"") for _ in range(MOST + 2)]
    assert [cards.find(name) is None for name in names] == [True] * 2 + [False] * MOST
    large = [cards.keep("", "", bytes(MOST_BYTES // 2)) for _ in range(3)]
    assert [cards.find(name) is None for name in large] == [True, False, False]
    assert shared() is shared()
