"""WHERE a run happens: folders, device, executor, demo mode. Read from FER_* variables, never hashed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from fer_core.errors import ConfigError

from .sizes import parse_size

EXECUTORS = ("local", "inline", "ray", "slurm")


@dataclass(frozen=True)
class Settings:
    """The places and habits of this installation.

    Attributes:
        home: folder of all state (`FER_HOME`; `.fer` in the working folder unless set).
        weights_dir: where pretrained weights are looked for first (`FER_WEIGHTS_DIR`; `<home>/weights`).
        device: 'auto', 'cpu', 'cuda' or 'cuda:<index>' (`FER_DEVICE`).
        executor: 'local' (a worker process), 'inline' (in the calling process), 'ray' (heavy steps on a Ray
            cluster) or 'slurm' (a job a run) (`FER_EXECUTOR`).
        demo: read-only hosted demo (`FER_DEMO=1`).
        threads: CPU threads of a worker; 0 leaves the choice to torch (`FER_THREADS`).
        data_roots: folders that data sets must lie in, links followed (`FER_DATA_ROOTS`, with ':' between
            them); empty allows any.
        database_url: of a PostgreSQL database (`FER_DATABASE_URL`), or None. Printing it masks its password.
        artifacts_url: where hosts share artifacts, an address for fsspec such as s3://bucket/path
            (`FER_ARTIFACTS_URL`); empty keeps them in `artifacts` alone.
        disk_limit: bytes that workers keep `artifacts` below, as far as runs can do without (`FER_DISK_LIMIT`,
            such as 20GB); 0 for no bound.
    """

    home: Path
    weights_dir: Path
    device: str = "auto"
    executor: str = "local"
    demo: bool = False
    threads: int = 0
    data_roots: tuple[Path, ...] = ()
    database_url: URL | None = None
    artifacts_url: str = ""
    disk_limit: int = 0

    @property
    def database(self) -> URL:
        """Where runs, epochs, predictions and boxes are kept: a SQLite file in `home` unless a URL is given."""
        return self.database_url or URL.create("sqlite", database=str(self.home / "fer.sqlite"))

    @property
    def artifacts(self) -> Path:
        """The folder of crops, activations and checkpoints, addressed by key."""
        return self.home / "artifacts"

    @property
    def cache(self) -> Path:
        """What can be deleted at any time and only costs time: file hashes."""
        return self.home / "cache"

    @property
    def demo_data(self) -> Path:
        """Where the generated data set lies."""
        return self.home / "data"

    def environment(self) -> dict[str, str]:
        """Return the variables that give a process started elsewhere these settings."""
        url = self.database_url
        return {
            "FER_HOME": str(self.home),
            "FER_DATABASE_URL": url.render_as_string(hide_password=False) if url else "",
            "FER_WEIGHTS_DIR": str(self.weights_dir),
            "FER_DEVICE": self.device,
            "FER_EXECUTOR": self.executor,
            "FER_THREADS": str(self.threads),
            "FER_ARTIFACTS_URL": self.artifacts_url,
            "FER_DISK_LIMIT": str(self.disk_limit or ""),
            "FER_DATA_ROOTS": os.pathsep.join(map(str, self.data_roots)),
        }


def load(environment: Mapping[str, str] = os.environ) -> Settings:
    """Read the settings.

    Raises:
        ConfigError: a variable has a value outside its range.
    """
    home = Path(environment.get("FER_HOME") or ".fer").expanduser().absolute()
    weights = environment.get("FER_WEIGHTS_DIR")
    device = environment.get("FER_DEVICE") or "auto"
    if device not in ("auto", "cpu", "cuda") and not (
        device.startswith("cuda:") and device.removeprefix("cuda:").isdecimal()
    ):
        raise ConfigError(
            "FER_DEVICE must be auto, cpu, cuda or cuda:<index>", got=repr(device), fix="Unset it for auto"
        )
    executor = environment.get("FER_EXECUTOR") or "local"
    if executor not in EXECUTORS:
        raise ConfigError(f"FER_EXECUTOR must be one of {', '.join(EXECUTORS)}", got=repr(executor))
    threads = environment.get("FER_THREADS") or "0"
    if not threads.isdecimal():
        raise ConfigError("FER_THREADS must be a whole number, 0 for automatic", got=repr(threads))
    limit = environment.get("FER_DISK_LIMIT")
    return Settings(
        home=home,
        weights_dir=Path(weights).expanduser().absolute() if weights else home / "weights",
        device=device,
        executor=executor,
        demo=environment.get("FER_DEMO", "").strip().lower() in ("1", "true", "yes", "on"),
        threads=int(threads),
        artifacts_url=environment.get("FER_ARTIFACTS_URL") or "",
        disk_limit=parse_size(limit, "FER_DISK_LIMIT") if limit else 0,
        data_roots=tuple(
            Path(part).expanduser().absolute()
            for part in environment.get("FER_DATA_ROOTS", "").split(os.pathsep)
            if part.strip()
        ),
        database_url=_database_url(environment.get("FER_DATABASE_URL") or ""),
    )


def _database_url(given: str) -> URL | None:
    """Return the URL of a PostgreSQL database, None for ''. An error never repeats it: it may hold a password."""
    if not given:
        return None
    fix = "Write postgresql://USER:PASSWORD@HOST/DATABASE, or unset it for a SQLite file in FER_HOME"
    try:
        url = make_url(given)
    except (ArgumentError, ValueError) as error:
        raise ConfigError("FER_DATABASE_URL must be a database's URL", fix=fix) from error
    if url.get_backend_name() not in ("postgresql", "postgres"):
        got = repr(url.get_backend_name())
        raise ConfigError("FER_DATABASE_URL must be of a PostgreSQL database", got=got, fix=fix)
    return url.set(drivername="postgresql")
