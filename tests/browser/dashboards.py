"""Dashboards for browser tests: started on free ports with a state folder of their own, and stopped."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

import pytest
from forked import Forked
from playwright.sync_api import Locator, Page, expect

from benchmarks.parts.process import ROOT, answers, free_port, launch, streamlit

__all__ = ["PATIENCE", "ROOT", "Clicks", "Keys", "Server", "button", "free_port", "quiet", "start"]

#: Milliseconds that anything may take on a busy machine.
PATIENCE = 90_000
#: Things on a page that Tab stops at on the way to what is looked for.
MOST_TABS = 120


@dataclass(frozen=True)
class Server:
    """A running dashboard: its address, its state folder, the file its output goes to, its process."""

    url: str
    home: Path
    log: Path
    process: subprocess.Popen[bytes] | Forked

    def at(self, page: str = "", **query: object) -> str:
        """Return the address of a page, such as 'faces', with its query."""
        return f"{self.url}/{page}" + (f"?{urlencode(query, doseq=True)}" if query else "")

    def stop(self) -> None:
        """End it at once; a worker that it has started ends by itself when nothing is left to do."""
        self.process.kill()
        self.process.wait()


def start(folder: Path, home: Path, environment: dict[str, str], *, port: int = 0) -> Server:
    """Start a dashboard and wait until it answers; fail the test with its log when it does not.

    Args:
        folder: where its log is written.
        home: its state folder.
        environment: variables on top of the caller's, of which FER_* are left out.
        port: a free one unless given.
    """
    port = port or free_port()
    kept = {name: value for name, value in os.environ.items() if not name.startswith("FER_")}
    own = {"FER_HOME": str(home), "OMP_NUM_THREADS": "1", **environment}
    log = folder / "server.log"
    process: subprocess.Popen[bytes] | Forked
    if any(
        name == "HOME" or name.startswith("STREAMLIT_") for name in environment
    ):  # read while it is imported
        process = launch(log, kept | own, port)
    else:
        process = Forked(log, kept | own, streamlit(port), ROOT)
    server = Server(f"http://127.0.0.1:{port}", home, log, process)
    if not answers(process, port, PATIENCE / 1000):
        server.stop()
        pytest.fail(f"the dashboard did not answer:\n{log.read_text(errors='replace')[-4000:]}")
    return server


def quiet(page: Page) -> None:
    """Wait until the page's script has ended and what it no longer draws is gone."""
    app = page.get_by_test_id("stApp")
    expect(app).to_have_attribute("data-test-script-state", "notRunning")
    expect(app.locator("[data-stale=true]")).to_have_count(0)


def button(page: Page, name: str) -> Locator:
    """Return the button of this name, not the one that it replaces and that is still leaving."""
    return page.locator("[data-stale=false]").get_by_role("button", name=name)


class Clicks:
    """A visitor's clicks on a page, each once it is quiet, and how many there were."""

    def __init__(self, page: Page) -> None:
        self.page, self.count = page, 0

    def __call__(self, what: Locator) -> None:
        """Click on something."""
        quiet(self.page)
        what.click()
        self.count += 1

    def at(self, x: float, y: float) -> None:
        """Click on a place of the window."""
        self.page.mouse.click(x, y)
        self.count += 1


class Keys(Clicks):
    """The same without a mouse: Tab until the focus is there, or within it, then a key."""

    def __call__(self, what: Locator, key: str = "Enter") -> None:
        """Walk to something and press a key on it."""
        self.reach(what)
        self.page.keyboard.press(key)
        self.count += 1

    def write(self, what: Locator, text: str) -> None:
        """Walk to a field and type a text."""
        self.reach(what)
        self.page.keyboard.type(text)
        self.count += 1

    def reach(self, what: Locator) -> None:
        """Walk to something; a table's focus is that of its canvas, and then of a cell within."""
        quiet(self.page)
        expect(what).to_be_attached()
        for _ in range(MOST_TABS):
            if what.evaluate("place => place.matches(':focus, :focus-within')"):
                return
            self.page.keyboard.press("Tab")
        raise AssertionError(f"{MOST_TABS} stops and none is {what}")
