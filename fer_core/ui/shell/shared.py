"""Answers that visitors share: their cards, in memory alone, for a day, and no more of them than there is room for."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from typing import NamedTuple

from fer_core.config.once import once

#: Seconds that a card lasts, and the most cards and bytes of them; the oldest make room.
LASTS, MOST, MOST_BYTES = 86400.0, 200, 32 << 20


class Card(NamedTuple):
    """A shared answer: what a chat shows of its link; until when, by the clock."""

    title: str
    text: str
    png: bytes
    until: float


class Shared:
    """Cards by names that can't be guessed."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._lock, self._cards = clock, threading.Lock(), dict[str, Card]()

    def keep(self, title: str, text: str, png: bytes) -> str:
        """Keep a card and return its name."""
        name = secrets.token_urlsafe(16)
        with self._lock:
            self._cards[name] = Card(title, text, png, self._clock() + LASTS)
            self._tidy()
        return name

    def find(self, name: str) -> Card | None:
        """Return a card while it lasts."""
        with self._lock:
            self._tidy()
            return self._cards.get(name)

    def _tidy(self) -> None:
        def oldest() -> Card:
            return next(iter(self._cards.values()))

        while self._cards and (
            len(self._cards) > MOST
            or sum(len(card.png) for card in self._cards.values()) > MOST_BYTES
            or oldest().until <= self._clock()
        ):
            del self._cards[next(iter(self._cards))]


@once
def shared() -> Shared:
    """Return what is shared on this server."""
    return Shared()
