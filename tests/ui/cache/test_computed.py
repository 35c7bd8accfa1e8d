"""What the device has computed: once, within a turn; looked up without one."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from fer_core.ui.cache.computed import Computed


def test_a_result_is_made_once_in_a_turn_and_looked_up_without_one() -> None:
    kept, turns, made = Computed(2), threading.Lock(), []
    taken: list[int] = []

    @contextmanager
    def turn() -> Iterator[None]:
        with turns:
            taken.append(1)
            yield

    def make() -> str:
        assert turns.locked()
        made.append(1)
        return "answer"

    turns.acquire()
    threads = [threading.Thread(target=kept.get, args=("a", make, turn)) for _ in range(4)]
    for thread in threads:
        thread.start()
    turns.release()
    for thread in threads:
        thread.join(60)
    assert (len(made), kept.get("a", make, turn)) == (1, "answer")
    before = len(taken)
    assert kept.get("a", make, turn) == "answer"
    assert len(taken) == before
    for key in "bca":
        kept.get(key, make, turn)
    assert len(made) == 4  # "a" was dropped for "c" and made again
