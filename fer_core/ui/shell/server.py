"""What a server needs once, before its first visitor."""

from __future__ import annotations

import streamlit as st

from fer_core.ui.cache.resources import loaded, store
from fer_core.ui.shell.full_collections import keep_short
from fer_core.ui.shell.memory_uploads import keep_in_memory


@st.cache_resource(show_spinner=False)
def started() -> bool:
    """Do once for a server what its first visitor needs: uploads in memory, short collections, a model loaded ahead."""
    if st.runtime.exists():
        keep_in_memory()
        keep_short()
        loaded().warm(store())
    return True
