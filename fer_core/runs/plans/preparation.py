"""The run that makes the generated data set and looks for its faces: a job like any other, which a page can watch."""

from fer_core.config.run import FacesConfig, RunConfig
from fer_core.config.settings import Settings
from fer_core.datasets.generated.movie_plan import GeneratedConfig, demo_folder, intact, planned
from fer_core.storage.store import Store, StoredRun

from .requests import CHOICE

#: What is submitted: the pipeline draws a planned set before it goes on.
PREPARATION = RunConfig(goal="faces", data=planned(), faces=FacesConfig(choice=CHOICE))


def drawn(settings: Settings) -> bool:
    """Return whether all frames of the generated set lie in the settings' `demo_data`."""
    return intact(GeneratedConfig(), demo_folder(settings.demo_data))


def preparation(store: Store) -> StoredRun | None:
    """Return the run that prepares the generated set; None where it was never asked for."""
    return next(iter(store.runs(ids=[PREPARATION.key()])), None)


def prepared(data: str) -> RunConfig:
    """Return what the preparation comes to on a set of this fingerprint, which is known once it is drawn."""
    return PREPARATION.model_copy(update={"data": PREPARATION.data.model_copy(update={"fingerprint": data})})
