"""Regular expressions that users write, bounded: some would take for ever to compile or to search."""

import math
import time
from typing import Any

import regex

from fer_core.errors import DataError

#: Signs of a pattern with its counts, such as {4}, written out; seconds that one has for all texts together.
MOST_SIGNS, SECONDS = 20_000, 1.0

#: Seconds of a search that aren't counted, for sets of millions of names; and that one may keep all threads waiting.
FREE, AT_ONCE = 1e-4, 0.01


class Pattern:
    """A compiled pattern with the time it has left.

    Args:
        text: what the user wrote, in the syntax of Python's `re` (and what `regex` adds to it).
        seconds: that all searches together may take.

    Raises:
        ValueError: it is no regular expression, or too long.
    """

    def __init__(self, text: str, seconds: float = SECONDS) -> None:
        counts = (int(most or least) for least, most in regex.findall(r"\{(\d{1,9}),?(\d{0,9})\}", text))
        if len(text) * math.prod(max(count, 1) for count in counts) > MOST_SIGNS:
            raise ValueError(f"longer than {MOST_SIGNS:,} signs with its counts written out")
        try:
            self._compiled = regex.compile(text)
        except (regex.error, RecursionError) as error:
            raise ValueError(str(error)) from error
        self.pattern, self.groups = text, self._compiled.groups
        self._seconds = self._left = seconds

    def search(self, text: str) -> Any:
        """Return the first match in a text as `re.Pattern.search` does, or None.

        Raises:
            DataError: this search and those before it took longer than it may.
        """
        started = time.thread_time()
        try:
            if self._left <= 0:
                raise TimeoutError
            try:
                found = self._compiled.search(text, timeout=AT_ONCE)
            except TimeoutError:  # again, while other threads go on
                found = self._compiled.search(text, timeout=self._left, concurrent=True)
        except TimeoutError as error:
            raise DataError(
                f"A pattern may take {self._seconds:g} seconds of all names together",
                got=f"{self.pattern!r}, which takes longer",
                fix="Write it without repeats inside repeats, such as (a+)+, or begin it with ^",
            ) from error
        self._left -= max(0.0, time.thread_time() - started - FREE)
        return found
