"""What was published, where a folder of `publish` is shown (`FER_DEMO=FOLDER`): read once for the server."""

import streamlit as st

from fer_core.config import settings as settings_module
from fer_core.results.sharing.published import Published, read_published


@st.cache_resource(show_spinner=False)
def published() -> Published | None:
    """Return what was published, None where this installation's own state is shown. Raises StoreError."""
    folder = settings_module.load().published
    return read_published(folder) if folder else None


def pictured(source: str) -> bool:
    """Return whether a data set's pictures may be shown here."""
    found = published()
    return found is None or source in found.pictured


def without_pictures() -> str:
    """Return why a run's faces are not to be seen, as a sentence."""
    if published():
        return "The pictures of the data set were not published."
    return "The run's faces are not on this machine."
