"""WHERE a run happens: folders, device, executor, limits. The only reader of the environment; never hashed."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    AfterValidator,
    AliasChoices,
    BeforeValidator,
    ByteSize,
    Field,
    TypeAdapter,
    ValidationError,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from fer_core import ROOT
from fer_core.errors import ConfigError

from .base import Config
from .reading import pairs

V = TypeVar("V", bound="Variables")

Executor = Literal["local", "inline", "ray", "slurm"]

#: What a folder holds that `publish` has written.
PUBLISHED = "published.json"


class Variables(BaseSettings):
    """Values read from environment variables: the prefix and a field's name in capitals; an empty one counts as unset.

    A field's description says what its variable must be.
    """

    model_config = SettingsConfigDict(frozen=True, env_ignore_empty=True, arbitrary_types_allowed=True)


class Limits(Config):
    """How much visitors of a dashboard may ask for (`prediction.limits`). Per visitor unless it says otherwise.

    Attributes:
        file_mb: megabytes of one uploaded file.
        upload_mb: megabytes of one upload, all its files together.
        all_upload_mb: megabytes of uploads held at a time, over all visitors.
        files: images of one upload, those inside an archive included.
        megapixels: width x height of one image, in millions; a JPEG's may be larger (`datasets.bounds`).
        images_per_minute: images classified; as many may come at once.
        all_images_per_minute: the same over all visitors together.
        turns: predictions on the device at the same time, over all visitors.
        waiting: most that wait for the device, over all visitors.
        waiting_each: most of one visitor that wait for the device.
        patience: seconds that one waits for the device.
    """

    file_mb: int = Field(20, ge=1)
    upload_mb: int = Field(100, ge=1)
    all_upload_mb: int = Field(1000, ge=1)
    files: int = Field(50, ge=1)
    megapixels: int = Field(50, ge=1)
    images_per_minute: int = Field(120, ge=1)
    all_images_per_minute: int = Field(1200, ge=1)
    turns: int = Field(1, ge=1)
    waiting: int = Field(64, ge=1)
    waiting_each: int = Field(3, ge=1)
    patience: int = Field(60, ge=1)


def _folders(given: object) -> object:
    if not isinstance(given, str):
        return given
    return [part for part in given.split(os.pathsep) if part.strip()]


def _demo(given: object) -> object:
    """Return whether this is a demo, or the folder that was published for it."""
    try:
        return TypeAdapter(bool).validate_python(given)
    except ValidationError:
        folder = Path(str(given)).expanduser().absolute()
    if not (folder / PUBLISHED).is_file():
        raise ValueError(f"no {PUBLISHED} in it")
    return folder


def _database_url(given: object) -> object:
    """Return the URL of a PostgreSQL database. An error never repeats it: it may hold a password."""
    if not isinstance(given, str):
        return given
    fix = "Write postgresql://USER:PASSWORD@HOST/DATABASE, or unset it for a SQLite file in FER_HOME"
    try:
        url = make_url(given)
    except (ArgumentError, ValueError) as error:
        raise ConfigError("FER_DATABASE_URL must be a database's URL", fix=fix) from error
    if url.get_backend_name() not in ("postgresql", "postgres"):
        got = repr(url.get_backend_name())
        raise ConfigError("FER_DATABASE_URL must be of a PostgreSQL database", got=got, fix=fix)
    return url.set(drivername="postgresql")


Folder = Annotated[Path, AfterValidator(lambda path: path.expanduser().absolute())]


class Settings(Variables):
    """The places and habits of this installation, from FER_* variables.

    Attributes:
        home: folder of all state; `.fer` in the working folder unless set.
        demo: read-only hosted demo, of `home` or of a folder that `publish` has written.
        weights_dir: where pretrained weights are looked for first; unless set `weights` in `home`, or in what was
            published.
        device: 'auto', 'cpu', 'cuda' or 'cuda:<index>'.
        executor: 'local' (a worker process), 'inline' (in the calling process), 'ray' (heavy steps on a Ray
            cluster) or 'slurm' (a job a run).
        threads: CPU threads of a worker; 0 leaves the choice to torch.
        data_roots: folders that data sets must lie in, links followed; ':' between them, empty allows any.
        database_url: of a PostgreSQL database, or None. Printing it masks its password.
        artifacts_url: where hosts share artifacts, an address for fsspec such as s3://bucket/path; empty keeps
            them in `artifacts` alone.
        disk_limit: bytes that workers keep `artifacts` below, as far as runs can do without, such as 20GB;
            0 for no bound.
        limits: how much visitors may ask for, such as 'files=20,images_per_minute=30'.
        behind_proxy: visitors differ by the address that a proxy writes into X-Forwarded-For.
        ray_address: of a Ray cluster (also `RAY_ADDRESS`); '' starts one on this host.
        ray_gpus: the share of a GPU that a task on Ray takes: 0.25 has four folds train on one.
    """

    model_config = SettingsConfigDict(env_prefix="FER_")

    home: Folder = Path(".fer")
    demo: Annotated[bool | Path, BeforeValidator(_demo)] = Field(
        False, description="1, 0 or a folder that `publish` has written"
    )
    weights_dir: Folder = Field(
        default_factory=lambda given: (
            (given["demo"] if given["demo"] not in (True, False) else given["home"]) / "weights"
        )
    )
    device: str = Field(
        "auto", pattern=r"^(auto|cpu|cuda(:\d+)?)$", description="auto, cpu, cuda or cuda:<index>"
    )
    executor: Executor = Field("local", description="local, inline, ray or slurm")
    threads: int = Field(0, ge=0, description="a whole number, 0 for automatic")
    data_roots: Annotated[tuple[Folder, ...], NoDecode, BeforeValidator(_folders)] = ()
    database_url: Annotated[URL | None, NoDecode, BeforeValidator(_database_url)] = None
    artifacts_url: str = ""
    disk_limit: ByteSize = Field(ByteSize(0), description="a number of bytes, or of kB, MB, GB or TB")
    limits: Annotated[
        Limits, NoDecode, BeforeValidator(lambda given: pairs(given) if isinstance(given, str) else given)
    ] = Field(
        Limits(),
        description=f"a list of limit=whole number above 0, of the limits {', '.join(Limits.model_fields)}",
    )
    behind_proxy: bool = Field(False, description="1 or 0")
    ray_gpus: float = Field(1.0, gt=0, le=1, description="above 0, 1 at most")
    ray_address: str = Field("", validation_alias=AliasChoices("FER_RAY_ADDRESS", "RAY_ADDRESS"))

    @property
    def published(self) -> Path | None:
        """The folder that was published and is shown; None where `home` is."""
        return self.demo if isinstance(self.demo, Path) else None

    @property
    def database(self) -> URL:
        """Where runs, epochs, predictions and boxes are kept: a SQLite file in `home` unless a URL is given."""
        if self.database_url and not self.published:
            return self.database_url
        return URL.create("sqlite", database=str((self.published or self.home) / "fer.sqlite"))

    @property
    def artifacts(self) -> Path:
        """The folder of crops, activations and checkpoints, addressed by key."""
        return (self.published or self.home) / "artifacts"

    @property
    def cache(self) -> Path:
        """What can be deleted at any time and only costs time: file hashes."""
        return self.home / "cache"

    @property
    def demo_data(self) -> Path:
        """Where the generated data set lies."""
        return self.home / "data"

    @property
    def uploads(self) -> Path:
        """Where data sets lie that were sent as a zip, a folder each."""
        return self.home / "uploads"

    def environment(self) -> dict[str, str]:
        """Return the variables that give a process started elsewhere these settings."""
        url = self.database_url
        return {
            "FER_HOME": str(self.home),
            "FER_DEMO": str(self.published or int(bool(self.demo))),
            "FER_DATABASE_URL": url.render_as_string(hide_password=False) if url else "",
            "FER_WEIGHTS_DIR": str(self.weights_dir),
            "FER_DEVICE": self.device,
            "FER_EXECUTOR": self.executor,
            "FER_THREADS": str(self.threads),
            "FER_ARTIFACTS_URL": self.artifacts_url,
            "FER_DISK_LIMIT": str(self.disk_limit or ""),
            "FER_DATA_ROOTS": os.pathsep.join(map(str, self.data_roots)),
        }


class SlurmSettings(Variables):
    """What a job asks Slurm for, from FER_SLURM_* variables.

    Attributes:
        cluster: 'slurm', or 'local': the same jobs as processes of this host.
        partition, account, qos, constraint: left to Slurm's defaults where empty.
        gpus, cpus: of a job; memory: GB; time: minutes.
        requeues: how often a job that ran into its time limit is put back; preemptions don't count.
    """

    model_config = SettingsConfigDict(env_prefix="FER_SLURM_")

    cluster: Literal["slurm", "local"] = Field("slurm", description="slurm or local")
    partition: str = ""
    account: str = ""
    qos: str = ""
    constraint: str = ""
    gpus: int = Field(1, ge=0, description="a whole number")
    cpus: int = Field(4, ge=1, description="a whole number above 0")
    memory: int = Field(16, ge=1, description="a whole number above 0")
    time: int = Field(240, ge=1, description="a whole number above 0")
    requeues: int = Field(10, ge=0, description="a whole number")


class Host(Variables):
    """What the desktop's and torch's variables say about this host."""

    torch_home: Path | None = None
    xdg_cache_home: Path = Path("~/.cache")
    display: str = ""
    wayland_display: str = ""

    @property
    def hub(self) -> Path:
        """Torch hub's folder of checkpoints, found by torch's rules without importing torch."""
        return (self.torch_home or self.xdg_cache_home / "torch").expanduser() / "hub" / "checkpoints"

    @property
    def screen(self) -> bool:
        """Whether there is a screen that a browser can open on."""
        return bool(self.display or self.wayland_display)


def load(**given: Any) -> Settings:
    """Read the settings; those `given` by name win over their variables, None is passed over.

    Raises:
        ConfigError: a variable has a value outside its range.
    """
    return read(Settings, **given) if given else _loaded(Path.cwd(), *os.environ.items())


@lru_cache(maxsize=4)
def _loaded(_folder: Path, *_variables: tuple[str, str]) -> Settings:
    """Return the settings that the working folder and the environment give: pages ask many times a run."""
    return read(Settings)


def read(kind: type[V], **given: Any) -> V:
    """Read values of a kind as `load` does. Raises ConfigError."""
    try:
        return kind(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        raise ConfigError(
            f"{kind.model_config['env_prefix']}{name.upper()} must be {kind.model_fields[name].description}",
            got=repr(first["input"]),
            fix="Correct it, or unset it for its default",
        ) from error


@contextmanager
def exported(settings: Settings) -> Iterator[None]:
    """Let what the body starts inherit the settings and find this code, by the environment of this process."""
    path = os.pathsep.join(part for part in (str(ROOT), os.environ.get("PYTHONPATH", "")) if part)
    wanted = settings.environment() | {"PYTHONPATH": path}
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
