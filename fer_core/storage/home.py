"""The folder of all state: whether it can be used, whether its database is that of its artifacts, what is damaged."""

import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from fer_core.config.settings import Settings
from fer_core.errors import ConfigError

from . import sums
from .artifacts import Artifacts
from .disk import COMPUTED, FACES, LOOKED_UP, RUNS, require_runs
from .store import Store, StoredRun

#: How what a kind holds is had again, where no run says so.
AGAIN = {
    **dict.fromkeys((*COMPUTED, LOOKED_UP), "made again by what needs it"),
    **dict.fromkeys(FACES, "made again by what needs it, from the data set"),
    "boxes": "made again with the next run for which the same boxes are drawn",
    "detectors": "train it again: python -m fer_core detector train",
    RUNS: "no run in the database has these networks: python -m fer_core clean",
}


@dataclass(frozen=True)
class Damage:
    """An artifact that is not whole.

    Attributes:
        files: what is wrong, by the name of the file; '' stands for all of it.
        again: how it is had again, in words.
        run: the finished run that must be carried out again for it, '' for none.
    """

    kind: str
    key: str
    files: dict[str, str]
    again: str
    run: str = ""


@dataclass(frozen=True)
class Checked:
    """How many artifacts and bytes were compared, how many had no sums until now, and what is damaged."""

    artifacts: int
    bytes: int
    summed: int
    damaged: list[Damage]


def require_home(settings: Settings) -> None:
    """Make FER_HOME unless it is there. Raises ConfigError where it can't be made or written to, or stored by name."""
    try:
        str(settings.home).encode()
        settings.home.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=settings.home):
            pass
    except (OSError, UnicodeEncodeError) as error:
        problem = error.strerror if isinstance(error, OSError) else "its name is not valid UTF-8"
        raise ConfigError(
            "FER_HOME must be a folder that can be made and written to",
            got=f"{settings.home}: {problem}",
            fix="Set it to another, or correct its permissions",
        ) from error


def open_store(settings: Settings, *, patience: float = 30.0) -> Store:
    """Open an installation's database, made if it is the first time; what was published is only read.

    Raises:
        ConfigError: FER_HOME can't be used.
        StoreError: the database is no one's, damaged, of a newer version, or empty beside artifacts of runs.
    """
    if settings.published:
        return Store(settings.database, read_only=True)
    require_home(settings)
    store = Store(settings.database, patience=patience)
    try:
        require_runs(store, Artifacts(settings.artifacts))
    except BaseException:
        store.close()
        raise
    return store


def check(store: Store, artifacts: Artifacts, progress: Callable[[int, int], None]) -> Checked:
    """Compare every artifact of this host with its sums; what was made without sums is given them.

    Args:
        progress: called with (artifacts looked at, all).
    """
    here, makers = Artifacts(artifacts.root), _makers(store)
    kinds = sorted(path.name for path in here.root.glob("[a-z]*") if path.is_dir())
    found = [(kind, key) for kind in kinds for key in here.keys(kind)]
    damaged = {one: {"": "missing"} for one in makers if one[0] == RUNS and not artifacts.has(*one)}
    summed = 0
    for number, one in enumerate(found, 1):
        folder = here.path(*one)
        if problems := sums.damage(folder):
            damaged[one] = problems
        elif not (folder / sums.SUMS).exists():
            with suppress(OSError):  # a disk that may only be read
                sums.write(folder, folder)
                summed += 1
        progress(number, len(found))
    size = sum(here.size(*one) for one in found)
    return Checked(len(found), size, summed, [_damage(*one, files, makers) for one, files in damaged.items()])


def _makers(store: Store) -> dict[tuple[str, str], StoredRun]:
    """Return the finished runs by the artifacts that each leaves."""
    found = {}
    for run in store.runs(status=["done"], limit=1_000_000):
        if run.goal == "train":
            found[RUNS, run.id] = run
            continue
        with suppress(ConfigError):  # of another version
            found |= dict.fromkeys(
                zip(FACES, (run.config.crops_key(), run.config.detections_key()), strict=True), run
            )
    return found


def _damage(
    kind: str, key: str, files: dict[str, str], makers: Mapping[tuple[str, str], StoredRun]
) -> Damage:
    run = makers.get((kind, key))
    if run is None:
        return Damage(kind, key, files, AGAIN.get(kind, "not known to this version"))
    if run.extra.get("imported"):
        return Damage(kind, key, files, "import its archive again")
    if run.data_source != "demo" and not Path(run.data_source).exists():
        return Damage(kind, key, files, f"needs its data set back at {run.data_source}")
    return Damage(kind, key, files, f"made again by run {run.id}", run.id)
