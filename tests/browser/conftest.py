"""What browser tests share: a Chromium, and dashboards on free ports with a state folder of their own."""

from __future__ import annotations

import csv
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from dashboards import PATIENCE, Server, start
from faces_case import detect, make_frames
from PIL import Image

from fer_core.config.run import CLASSES
from fer_core.datasets.generated.frames import render_frame
from fer_core.datasets.generated.movie_plan import MOVIES, GeneratedConfig, demo_folder, plan
from fer_core.datasets.readers.generated import MANIFEST
from fer_core.runs.jobs.queue import cancel, submit
from fer_core.runs.plans.preparation import PREPARATION
from fer_core.storage.store import Store

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

CHROMIUM = "/usr/bin/chromium"
#: The same without windows, for which it would draw and sync far more: tests take it where it is installed.
SHELL = "chromium-headless-shell"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking"]


def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Server]]:
    """Yield a function that starts a dashboard: `server(home=None, **environment)`; stop all that it has started.

    `home` is a state folder, prepared or empty; `environment` holds FER_* and other variables. The dashboard
    answers when the function returns.
    """
    running: list[Server] = []

    def begin(home: Path | None = None, **environment: str) -> Server:
        folder = tmp_path_factory.mktemp("server")
        running.append(start(folder, home or folder / "home", environment))
        return running[-1]

    yield begin
    for each in running:
        each.stop()


#: Dashboards of one file, and those of all: one at rest still takes memory, and now and then a core.
server = pytest.fixture(scope="module")(servers)
lasting = pytest.fixture(scope="session", name="lasting")(servers)


@pytest.fixture(scope="session")
def shared_home(shared_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the home that all tests read, in which drawing the demo set is called off.

    Else whoever signs in would begin it, and a worker draw and search 480 frames long after the test.
    """
    home = Path(shutil.copytree(shared_home, tmp_path_factory.mktemp("served") / "home"))
    store = Store(home / "fer.sqlite")
    cancel(store, submit(store, PREPARATION)[0])
    store.close()
    return home


@pytest.fixture(scope="session")
def answered(trained: Path, lasting: Callable[..., Server]) -> Server:
    """Return a dashboard over two finished runs, for tests that leave its home as it is."""
    return lasting(trained, FER_DEVICE="cpu", FER_THREADS="1")


@pytest.fixture(scope="session")
def framed(tmp_path_factory: pytest.TempPathFactory, lasting: Callable[..., Server]) -> tuple[Server, Path]:
    """Return a dashboard over the detected frames of `faces_case`, and their folder; tests leave both as they are."""
    folder, home = make_frames(tmp_path_factory.mktemp("frames") / "frames"), tmp_path_factory.mktemp("home")
    detect(folder, home)
    return lasting(home, FER_DEVICE="cpu"), folder


#: Frames of the generated set that a first start is left to draw.
UNDRAWN = 24


@pytest.fixture(scope="session")
def fresh(
    tmp_path_factory: pytest.TempPathFactory, lasting: Callable[..., Server], generated: Path
) -> Server:
    """Return a dashboard without any run, whose generated set was cut off while it was drawn.

    What is drawn are the frames of `generated` and, for want of more, small gray ones, in which nothing is found.
    """
    home, config = tmp_path_factory.mktemp("fresh"), GeneratedConfig()
    whole = demo_folder(home / "data")
    part = whole.with_name(f".{whole.name}.{config.key()}.part")
    frames = {label: iter(sorted(generated.glob(f"{label}/*.png"))) for label in CLASSES}
    for label in CLASSES:
        (part / label).mkdir(parents=True)
    columns = render_frame(config.model_copy(update={"width": 120, "height": 120}), 0)[1]
    with (part / MANIFEST).open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, columns)
        table.writeheader()
        for shot in plan(config)[:-UNDRAWN]:
            names = {"path": shot.path, "label": shot.label, "clip": shot.clip_name}
            table.writerow(names | {"group": MOVIES[shot.movie]})
            if frame := next(frames[shot.label], None):
                shutil.copy(frame, part / shot.path)
            else:
                Image.new("RGB", (12, 12), "gray").save(part / shot.path)
    return lasting(home, FER_DEVICE="cpu", FER_THREADS="1")


@pytest.fixture(scope="session")
def chromium() -> str:
    """Return the path of Chromium; skip where there is none, unless CI is set."""
    path = shutil.which(SHELL) or shutil.which("chromium")
    if path is None:
        why = f"there is neither {SHELL} nor chromium on the PATH"
        if os.environ.get("CI"):
            pytest.fail(why)
        pytest.skip(why)
    return path


@pytest.fixture(scope="session")
def browser(chromium: str) -> Iterator[Browser]:
    """Return a running Chromium."""
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield started
        started.close()


@pytest.fixture
def visitor(browser: Browser) -> Iterator[Callable[..., BrowserContext]]:
    """Return a function that gives a visitor without cookies, `visitor(**options of new_context)`, patient as all.

    Without transitions, which Chromium draws in software: that takes a quarter of what it computes.
    """
    with ExitStack() as stack:

        def arrive(**options: Any) -> BrowserContext:
            context = stack.enter_context(browser.new_context(reduced_motion="reduce", **options))
            context.set_default_timeout(PATIENCE)
            return context

        yield arrive


@pytest.fixture
def page(visitor: Callable[..., BrowserContext]) -> Iterator[Page]:
    """Return a tab of 1280 x 1000 pixels that fails its test on any error a script throws."""
    thrown: list[str] = []
    tab = visitor(viewport={"width": 1280, "height": 1000}).new_page()
    tab.on("pageerror", lambda error: thrown.append(str(error)))
    yield tab
    assert not thrown


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test of this folder as one that drives Chromium."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker("browser")
