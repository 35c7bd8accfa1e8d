"""What all tests share: one torch thread, a state folder of their own, a guard over signals, the real photos."""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from filelock import FileLock
from postgresql import Server, server
from sqlalchemy import URL

os.environ["OMP_NUM_THREADS"] = "1"

import components_once  # noqa: F401

from fer_core import ROOT
from fer_core.config.settings import Settings, load
from fer_core.storage.artifacts import Artifacts
from fer_core.storage.store import Store

PHOTOS = ROOT.parent / "shared" / "data" / "london_faces"

GUARD = str(Path(__file__).resolve().parent / "guard")
sys.path.insert(0, GUARD)
import signal_guard  # noqa: E402


def _guard_signals() -> None:
    """Let this process and what it starts signal only what it has started; SIGNAL_LOG=file keeps the list."""
    paths = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path not in ("", GUARD)]
    os.environ["PYTHONPATH"] = os.pathsep.join([GUARD, *paths])
    signal_guard.install()
    os.environ[signal_guard.ROOT] = signal_guard.identity(os.getpid())
    if signal_guard.LOG not in os.environ:
        handle, name = tempfile.mkstemp(prefix="fer-signals-")
        os.close(handle)
        atexit.register(os.unlink, name)
        os.environ[signal_guard.LOG] = name
    log = Path(os.environ[signal_guard.LOG]).absolute()
    log.touch()
    os.environ[signal_guard.LOG] = str(log)


_guard_signals()


if DEVICE := os.environ.get(
    "TEST_DEVICE"
):  # `TEST_DEVICE=cuda:0 make test`: what asks for a device gets this one
    from fer_core.config import devices

    def _resolve(settings: object) -> str:
        devices.prepare(DEVICE)
        return DEVICE

    devices.resolve = _resolve


#: What takes longest begins first (`--no-loadscope-reorder`): a long file begun last keeps one worker busy alone.
LONGEST = ("runs/jobs/test_on_ray.py", "browser", "cli", "runs/jobs", "learning/training", "faces", "pages")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest tests first."""
    here = Path(__file__).parent

    def place(item: pytest.Item) -> int:
        return next(
            (at for at, long in enumerate(LONGEST) if item.path.is_relative_to(here / long)), len(LONGEST)
        )

    items.sort(key=place)


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep every test's state in its own folder and FER_* variables of the caller out."""
    for name in [name for name in os.environ if name.startswith("FER_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("FER_HOME", str(tmp_path / "home"))


@pytest.fixture(autouse=True)
def _main_stays() -> Iterator[None]:
    """Put back the main module: a page that ran in a test took its place, and processes that start would run it."""
    main = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = main


@pytest.fixture(autouse=True)
def _signals_stay_here() -> Iterator[None]:
    """Fail a test that signalled, itself or through what it started, a process that this test run did not start."""
    since = Path(os.environ[signal_guard.LOG]).stat().st_size
    yield
    assert not (refused := signal_guard.refused(since)), "\n".join(refused)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Server]:
    """Return a running PostgreSQL server; skip where it is not installed."""
    with server() as running:
        yield running


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> URL:
    """Return the URL of a new database, once of each kind."""
    if request.param == "sqlite":
        return URL.create("sqlite", database=str(tmp_path / "new" / "fer.sqlite"))
    return request.getfixturevalue("postgresql").make()


@pytest.fixture
def settings() -> Settings:
    """Return the settings of this test's state folder."""
    return load()


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    """Return the database of this test's state folder."""
    store = Store(settings.database)
    yield store
    store.close()


@pytest.fixture
def artifacts(tmp_path: Path) -> Artifacts:
    """Return an empty store of artifacts."""
    return Artifacts(tmp_path / "artifacts")


@pytest.fixture(scope="session")
def photos() -> list[Path]:
    """Return the real photos, sorted; skip where they are not at hand."""
    found = sorted(PHOTOS.glob("*/*.jpg"))
    if not found:
        pytest.skip("the London faces photos are not beside this checkout")
    return found


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """Return a folder that whichever worker comes first makes; nobody writes to it afterwards."""
    root = factory.getbasetemp()
    folder = (root.parent if "PYTEST_XDIST_WORKER" in os.environ else root) / f"once-{name}"
    whole = folder.with_suffix(".whole")
    with FileLock(folder.with_suffix(".lock")):
        if not whole.exists():
            make(folder)
            whole.touch()
    return folder


@pytest.fixture(scope="session")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a small generated data set: 42 ordinary and 6 hard frames of 6 movies."""
    from fer_core.datasets.generated.frames import GeneratedConfig, generate

    config = GeneratedConfig(seed=5, ordinary=42, hard=6, movies=6, width=320, height=256)
    return made_once(tmp_path_factory, "generated", lambda folder: generate(config, folder, workers=1))


@pytest.fixture(scope="session")
def few(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a smaller one, of 28 ordinary and 4 hard frames of 4 movies: each process of a test trains on it anew."""
    from fer_core.datasets.generated.frames import GeneratedConfig, generate

    config = GeneratedConfig(seed=5, ordinary=28, hard=4, movies=4, width=176, height=144)
    return made_once(tmp_path_factory, "few", lambda folder: generate(config, folder, workers=1))


def _trained(factory: pytest.TempPathFactory, name: str, generated: Path, *arguments: str) -> Path:
    """Return a copy of a home in which runs have been trained on the small set."""
    from cli_case import train_at

    def make(home: Path) -> None:
        train_at(home, "--data", str(generated), "--folds", "2", "--epochs", "2", *arguments)

    return Path(shutil.copytree(made_once(factory, name, make), factory.mktemp("homes") / name))


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, generated: Path) -> Path:
    """Return a home in which the paper's first two settings have been trained on the small set."""
    return _trained(tmp_path_factory, "trained", generated, "--protocol", "group", "--unfreeze", "1,2")


@pytest.fixture(scope="session")
def photographs(tmp_path_factory: pytest.TempPathFactory, generated: Path) -> Path:
    """Return a folder of frames that nothing tells from photographs."""
    from publication_case import photographs_of

    return (
        made_once(tmp_path_factory, "photographs", lambda folder: photographs_of(generated, folder / "sfew"))
        / "sfew"
    )


@pytest.fixture(scope="session")
def photographed(tmp_path_factory: pytest.TempPathFactory, photographs: Path) -> Path:
    """Return a home with one finished run on them."""
    from publication_case import trained_on

    once = made_once(tmp_path_factory, "photographed", lambda home: trained_on(photographs, home))
    return Path(shutil.copytree(once, tmp_path_factory.mktemp("homes") / "photographed"))


@pytest.fixture(scope="session")
def awkward(tmp_path_factory: pytest.TempPathFactory, generated: Path) -> Path:
    """Return a folder of class folders as people bring them: a copy, a palette file, a truncated one."""
    from PIL import Image

    root = tmp_path_factory.mktemp("awkward") / "faces"
    for source in sorted(generated.glob("*/*.png")):
        target = root / source.parent.name.upper() / source.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)
    happy, sad = sorted((root / "HAPPY").iterdir()), sorted((root / "SAD").iterdir())
    shutil.copy(happy[0], root / "HAPPY" / "copy.png")
    shutil.copy(happy[1], root / "SAD" / "same_under_two_labels.png")
    Image.open(sad[0]).convert("P").save(root / "SAD" / "palette.png")
    (root / "SAD" / "truncated.png").write_bytes(sad[1].read_bytes()[:2000])
    return root


@pytest.fixture(scope="session")
def shared_home(tmp_path_factory: pytest.TempPathFactory, generated: Path) -> Path:
    """Return a home with one finished run on whole frames of the small set: two folds of two epochs, n = 1."""
    return _trained(tmp_path_factory, "shared", generated, "--no-faces", "--unfreeze", "1")
