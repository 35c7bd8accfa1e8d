"""What the gallery, a frame and the bench have in common: tiles that lead to their frame."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote_plus, urlencode

import streamlit as st


def frame_links() -> Callable[[str], str]:
    """Return what gives a frame's link by its name; the rest of the URL stays as it is."""
    query = [(name, st.query_params.get_all(name)) for name in st.query_params if name != "frame"]
    start = "./faces?" + urlencode([*query, ("frame", "")], doseq=True)
    return lambda name: start + quote_plus(name)
