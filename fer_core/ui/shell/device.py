"""The one door to the device: what a page, and so a link, has computed counts as its visitor's and waits for a turn."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import streamlit as st

from fer_core.prediction import limits

from .setup import Lab


@contextmanager
def computing(lab: Lab, images: int = 1) -> Iterator[None]:
    """Count images as the visitor's, wait for the device, and hold it for the body.

    Args:
        images: how many; 0 where they have been counted before.

    Raises:
        BusyError: too many a minute, or too many wait.
    """
    if images:
        limits.admit(lab.visitor, images)
    show = line("the device")
    with limits.device_turn(lab.visitor, show):
        show(0)
        yield


def line(what: str) -> Callable[[int], None]:
    """Return what tells a visitor here how many are before them in the line for something; 0 clears it."""
    place = st.empty()

    def show(ahead: int) -> None:
        if ahead:
            place.caption(
                f":material/group: You are number {ahead + 1} in line for {what}: {ahead} before you."
            )
        else:
            place.empty()

    return show
