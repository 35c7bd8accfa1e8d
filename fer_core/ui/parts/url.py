"""Values that the URL holds: what a link names is taken however it is written, and what it can't mean is reported."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote_plus, urlencode

import streamlit as st

from .widgets import escaped

#: A notice names so many of the values that there are.
NAMED = 12
#: What a toggle may be in the URL.
SWITCH = ("true", "false")
#: What the session keeps: the notices to give, and whether the page is being drawn again with a corrected URL.
NOTICES, AGAIN = "link-notices", "link-again"


def linked(key: str, options: Sequence[Any], shown: Callable[[Any], str] = str) -> str:
    """Return the name of a query parameter that a choice is bound to, whose value is put right first.

    Streamlit takes a value that is not letter for letter the text of an option for none at all, and says nothing. An
    option counts as named here in capitals or small letters, by its text or by its name. Where no option is, a
    notice says so, and the widget starts as if the link named nothing.

    Args:
        key: of the query parameter, and of the widget where Streamlit binds it.
        options: what there is to choose, as the widget has it.
        shown: its `format_func`.
    """
    given = [value for value in st.query_params.get_all(key) if value]
    if not given or key in st.session_state:  # what a link named has been looked at when the page was opened
        return key
    texts = [shown(option) for option in options]
    meant = [_meant(value, options, texts) for value in given]
    if meant != given:
        st.query_params[key] = meant
        _draw_again()
    unknown = [value for value in meant if value not in texts]
    for value in unknown:
        _report(key, value, f"is not one of {_listed(options, texts)}")
    if len(unknown) == len(meant):
        del st.query_params[key]
    elif unknown:
        st.query_params[key] = [value for value in meant if value in texts]
    return key


def in_range(key: str, low: float, high: float, *, pair: bool = False) -> dict[str, Any]:
    """Return what a number input or a slider takes to be bound to a query parameter, whose value is put right first.

    Streamlit takes a number out of its range for none at all, and the whole part of one that must be whole; it says
    nothing. Here a notice says so, and the widget starts as if the link named nothing.

    Args:
        key: of the query parameter and the widget.
        low, high: the least and the largest number; both int where it must be whole.
        pair: whether it is a slider with two ends, which a link names one after the other.

    Returns:
        min_value, max_value, key and bind.
    """
    whole = isinstance(low, int) and isinstance(high, int)
    given = [value for value in st.query_params.get_all(key) if value]
    if given and key not in st.session_state and not _in_range(given, low, high, whole, pair):
        what = (
            ("two rising " if pair else "a ")
            + ("whole " if whole else "")
            + ("numbers" if pair else "number")
        )
        _report(key, ", ".join(given), f"is not {what} from {low:g} to {high:g}")
        del st.query_params[key]
        _draw_again()
    return {"min_value": low, "max_value": high, "key": key, "bind": "query-params"}


def one_of(key: str, options: Sequence[Any], shown: Callable[[Any], str] = str) -> dict[str, Any]:
    """Return what a choice takes to be bound to a query parameter, put right as by `linked`.

    Returns:
        options, format_func, key and bind.
    """
    name = linked(key, options, shown)
    return {"options": options, "format_func": shown, "key": name, "bind": "query-params"}


def by_name(
    label: str,
    name: str,
    options: Sequence[str],
    shown: Callable[[str], str],
    *,
    asked: str | None,
    default: str | None = None,
) -> str:
    """Draw a choice, at first what is `asked` for; the URL holds it under a name, unless it is the default."""
    chosen = str(st.selectbox(label, options, key=told(name, options, asked), format_func=shown))
    tell(name, chosen, default)
    return chosen


def switch(key: str) -> dict[str, Any]:
    """Return what a toggle or checkbox takes to be bound to a query parameter: key and bind."""
    return {"key": linked(key, SWITCH), "bind": "query-params"}


def told(name: str, options: Sequence[str], asked: str | None) -> str:
    """Return the key of a choice that `tell` writes into the URL, set first where a link, or Back, names another.

    Args:
        name: of the query parameter.
        asked: what is chosen where the visitor has chosen nothing since; None for the first of the options.
    """
    key, given = f"{name}-chosen", st.query_params.get(name)
    held, elsewhere = st.session_state.get(key), given != st.session_state.get(f"{name}-told")
    if elsewhere or held not in options or (asked is None and held == given):
        st.session_state[key] = asked if asked in options else options[0]
    return key


def tell(name: str, chosen: str, default: str | None = None) -> None:
    """Write a choice of `told` into the URL, unless it is the default."""
    if chosen != default:
        st.query_params[name] = chosen
    elif name in st.query_params:
        del st.query_params[name]
    st.session_state[f"{name}-told"] = st.query_params.get(name)


def links_here(page: str, key: str) -> Callable[[str], str]:
    """Return what gives links to a page by the value of one key; the rest of the URL stays as it is."""
    query = [(name, st.query_params.get_all(name)) for name in st.query_params if name != key]
    start = f"./{page}?" + urlencode([*query, (key, "")], doseq=True)
    return lambda value: start + quote_plus(value)


def page(count: int, size: int, key: str = "page") -> slice:
    """Draw the choice among pages of so many things, where there is more than one; return those on the chosen page."""
    pages = max(1, -(-count // size))
    chosen = (
        1 if pages == 1 else st.pagination(pages, key=linked(key, range(1, pages + 1)), bind="query-params")
    )
    return slice((chosen - 1) * size, min(chosen * size, count))


@contextmanager
def notices() -> Iterator[None]:
    """Give the notices of a page once it is drawn: one that is given before a rerun may never be seen."""
    st.session_state[AGAIN] = False
    try:
        yield
    finally:
        if not st.session_state[AGAIN]:
            _give()


def stop() -> None:
    """End a page here, as `st.stop` does; its notices are given first, since nothing that is drawn later is sent."""
    _give()
    st.stop()


def _give() -> None:
    for text in st.session_state.pop(NOTICES, []):
        st.toast(text, icon=":material/link_off:", duration="long")


def _report(key: str, value: str, wrong: str) -> None:
    given = st.session_state.setdefault(NOTICES, [])
    given.append(f"**{escaped(key)}**: “{escaped(value[:60])}” {wrong}.")


def _draw_again() -> None:
    """Draw the page again: a widget would go by the URL as it was when this run of the script began."""
    st.session_state[AGAIN] = True
    st.rerun()


def _in_range(given: Sequence[str], low: float, high: float, whole: bool, pair: bool) -> bool:
    try:
        numbers = [float(value) for value in given]
    except ValueError:
        return False
    if not pair:
        numbers = numbers[-1:]  # the one that Streamlit takes
    elif len(numbers) != 2 or numbers[0] > numbers[1]:
        return False
    fit = all(math.isfinite(number) and low <= number <= high for number in numbers)
    return fit and (not whole or all(number.is_integer() for number in numbers))


def _meant(value: str, options: Sequence[Any], texts: Sequence[str]) -> str:
    """Return the text of the one option that a value names, or the value where none or several are named.

    A run that has been renamed is known by its id, which ends its name.
    """
    if value in texts:
        return value
    folded = value.casefold()
    found = {
        text
        for option, text in zip(options, texts, strict=True)
        if folded in (text.casefold(), str(option).casefold())
    }
    ended = re.search(r" \([0-9a-f]{8,16}\)$", value)
    found = found or {text for text in texts if ended and text.endswith(ended[0])}
    return found.pop() if len(found) == 1 else value


def _listed(options: Sequence[Any], texts: Sequence[str]) -> str:
    if isinstance(options, range):
        return f"{options[0]} to {options[-1]}"
    rest = f" and {len(texts) - NAMED} more" if len(texts) > NAMED else ""
    return (", ".join(escaped(text) for text in texts[:NAMED]) or "none") + rest
