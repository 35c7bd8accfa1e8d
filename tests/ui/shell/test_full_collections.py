"""Full collections leave out what lived through one before, and still free all that dies."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest

from fer_core.ui.shell.full_collections import EVERY, keep_short


class Node:
    """An object that refers to itself, so that only the collector frees it."""

    def __init__(self) -> None:
        self.own = self


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    before = list(gc.callbacks)
    gc.callbacks.clear()
    yield
    gc.callbacks[:] = before
    gc.unfreeze()


def test_what_outlives_a_full_pass_is_set_aside_and_freed_a_few_passes_after_it_died() -> None:
    keep_short()
    node = Node()
    seen = weakref.ref(node)
    gc.collect()
    assert not any(one is node for one in gc.get_objects()), "later passes don't walk it"
    del node
    gc.collect()
    assert seen() is not None
    for _ in range(EVERY):
        gc.collect()
    assert seen() is None


def test_what_dies_before_a_full_pass_goes_at_once() -> None:
    keep_short()
    gc.collect()
    seen = weakref.ref(Node())
    gc.collect()
    assert seen() is None


def test_it_is_set_up_once() -> None:
    keep_short()
    keep_short()
    assert len(gc.callbacks) == 1
