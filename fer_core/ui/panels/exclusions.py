"""Frames left out of later runs: chosen on Train, said of a run (asked for where frames are selected)."""

from streamlit.delta_generator import DeltaGenerator

from fer_core.config.run import DataConfig
from fer_core.storage.said_of_frames import exclusion_key
from fer_core.storage.store import StoredRun
from fer_core.ui.cache import resources
from fer_core.ui.parts.url import one_of
from fer_core.ui.parts.widgets import age, escaped
from fer_core.ui.shell.setup import Lab

#: Key of the URL, on Train, and whose value is the key of an exclusion.
KEY = "without"


def chosen(lab: Lab, place: DeltaGenerator) -> DataConfig:
    """Draw which frames are trained on, where some were left out before, and return the data set without them."""
    whole = resources.data_config(lab.source)
    known = lab.store.exclusions(whole.fingerprint)
    if not known:
        return whole

    def words(key: str) -> str:
        return f"without {len(known[key].names)} ({key[:8]})" if key else f"all {whole.images:,}"

    key = place.selectbox("Frames", **one_of(KEY, ["", *known], words), help="Frames are excluded on Faces")
    return resources.data_config(lab.source, known[key].names) if key else whole


def said(lab: Lab, run: StoredRun) -> str:
    """Return how many frames a run leaves out, who said so and when, as the end of a sentence; '' for none."""
    names = run.config.data.excluded
    if not names:
        return ""
    one = lab.store.exclusions(run.data).get(exclusion_key(names))
    by = f" by {escaped(one.author)} {age(one.created)}" if one and one.author else ""
    return f" · **{len(names)} of {run.config.data.whole.images:,} frames excluded**{by}"
