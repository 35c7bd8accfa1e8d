"""One of a kind, whoever asks first."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from fer_core.config.once import once


def test_threads_that_ask_at_once_get_the_same_until_it_is_cleared() -> None:
    begun = threading.Event()

    @once
    def thing() -> object:
        begun.wait(0.2)  # nobody sets it: time for the others to ask too
        return object()

    with ThreadPoolExecutor(4) as threads:
        assert len(set(threads.map(lambda _: thing(), range(4)))) == 1
    first = thing()
    thing.cache_clear()
    assert thing() is not first


def test_what_failed_is_tried_again() -> None:
    answers = [ValueError("not yet"), "there"]

    @once
    def thing() -> str:
        if isinstance(answer := answers.pop(0), Exception):
            raise answer
        return answer

    with pytest.raises(ValueError, match="not yet"):
        thing()
    assert thing() == thing() == "there"
