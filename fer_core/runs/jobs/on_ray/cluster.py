"""The connection to a Ray cluster, what it has, and what its failures mean for a run."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from fer_core import ROOT
from fer_core.config.settings import Settings, load
from fer_core.errors import AttemptLost, ConfigError

PACKAGE = ROOT / "fer_core"
PIP = "python -m pip install -r requirements-ray.txt"

#: Object store of a Ray started here (bytes): what is in flight between steps is small.
STORE_BYTES = 512 * 2**20

#: How often the start of a private Ray is tried.
STARTS = 3
QUIET: dict[str, Any] = {"log_to_driver": False, "logging_level": "warning"}

_connecting = threading.Lock()


def address() -> str:
    """Return the cluster's address (the settings' `ray_address`); '' for a Ray that this process starts."""
    return load().ray_address


def package() -> Any:
    """Return the package ray. Raises ConfigError with the line that installs it."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    if not address():
        # Read when ray is imported: on every system a private Ray then listens on the loopback address alone.
        os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
    try:
        import ray
    except ImportError as error:
        raise ConfigError("FER_EXECUTOR=ray needs the package ray", got=str(error), fix=PIP) from error
    return ray


def connect() -> Any:
    """Connect this process to the cluster, once, and return the package ray.

    Without an address a Ray of this host's CPUs and GPUs is started, reached by loopback only; it ends with this
    process.

    Raises:
        ConfigError: ray is not installed, or nothing answers at the address.
    """
    ray, where = package(), address()
    with _connecting:
        if ray.is_initialized():
            return ray
        if not where:
            start()
            return ray
        try:
            ray.init(address=where, runtime_env={"py_modules": [str(PACKAGE)]}, **QUIET)
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise ConfigError(
                "A Ray cluster must answer at FER_RAY_ADDRESS (or RAY_ADDRESS)",
                got=f"{where}: {str(error).splitlines()[0]}",
                fix="Start it (ray start --head), correct the address, or unset it for a Ray on this host",
            ) from error
    return ray


def start(**options: Any) -> None:
    """Start a private Ray of this process, reached by the loopback address only; it ends with this process.

    Ray gives its processes half a minute to come up, which a host under load exceeds; then it is tried again.

    Args:
        options: of `ray.init`, such as num_cpus.
    """
    ray = package()
    chosen = {"object_store_memory": STORE_BYTES, **QUIET, **options}
    for left in reversed(range(STARTS)):
        try:
            ray.init(address="local", include_dashboard=False, _node_ip_address="127.0.0.1", **chosen)
            return
        except Exception as error:  # Ray raises a plain Exception
            ray.shutdown()
            if not left or "timed out" not in str(error):
                raise


def gpus(settings: Settings) -> int:
    """Return how many GPUs of the cluster tasks may use: none under FER_DEVICE=cpu.

    Raises:
        ConfigError: a GPU is asked for and the cluster has none.
    """
    found = int(connect().cluster_resources().get("GPU", 0))
    if settings.device == "cpu":
        return 0
    if settings.device != "auto" and not found:
        raise ConfigError(
            "FER_DEVICE must be auto or cpu on a Ray cluster without GPUs", got=repr(settings.device)
        )
    return found


def resources(settings: Settings) -> dict[str, float]:
    """Return what one task takes: its share of a GPU where there are any, else as many CPUs as it has threads."""
    return {"num_gpus": settings.ray_gpus} if gpus(settings) else {"num_cpus": max(1, settings.threads)}


def slots(settings: Settings) -> int:
    """Return how many tasks the cluster carries out at once, at least 1."""
    cpus = int(connect().cluster_resources().get("CPU", 1))
    return max(1, gpus(settings) * int(1 / settings.ray_gpus) or cpus // max(1, settings.threads))


def on_node(settings: Settings) -> Settings:
    """Return the settings for a task: its device is the GPU that Ray shows it, or the CPU; it knows no database."""
    return settings.model_copy(update={"device": "cuda" if gpus(settings) else "cpu", "database_url": None})


@contextmanager
def failures() -> Iterator[None]:
    """Turn a task's error into what it was raised as, and a lost worker or node into AttemptLost."""
    errors = connect().exceptions
    lost = (
        errors.WorkerCrashedError,
        errors.RayActorError,
        errors.NodeDiedError,
        errors.OutOfMemoryError,
        errors.ObjectLostError,
        errors.TaskUnschedulableError,
    )
    try:
        yield
    except errors.RayTaskError as error:
        cause = error.cause
        if isinstance(cause, lost):
            raise AttemptLost(_first_line(cause)) from error
        raise cause from error
    except lost as error:
        raise AttemptLost(_first_line(error)) from error


def _first_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {(str(error).splitlines() or [''])[0][:300]}"
