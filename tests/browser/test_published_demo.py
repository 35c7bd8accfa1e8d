"""A published demo, seen from its wires: what it sends holds no frame of the data set, and an answer is shared."""

from __future__ import annotations

import re
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import httpx
import pytest
from dashboards import PATIENCE, Server, quiet
from PIL import Image
from pixel_search import PixelSearch
from playwright.sync_api import BrowserContext, Error, Page, Response, expect
from publication_case import published, search_for

from fer_core.datasets.images import load_rgb
from fer_core.results.sharing.published import read_published
from fer_core.storage.store import Store


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, photographed: Path) -> Path:
    return published(photographed, tmp_path_factory.mktemp("published") / "demo")


@pytest.fixture(scope="module")
def demo(server: Callable[..., Server], folder: Path) -> Server:
    return server(FER_DEMO=str(folder), FER_DEVICE="cpu", FER_THREADS="1")


class Recording:
    """All that a server sends to a page: responses, WebSocket frames, downloads."""

    def __init__(self, page: Page) -> None:
        self.page, self.sent, self._responses = page, list[bytes](), list[Response]()
        page.on("response", lambda response: self._responses.append(response))
        page.on("websocket", lambda socket: socket.on("framereceived", self._frame))

    def _frame(self, payload: str | bytes) -> None:
        self.sent.append(payload.encode() if isinstance(payload, str) else payload)

    def settle(self) -> None:
        """Wait until the page is quiet, and keep what has come, before the browser forgets it."""
        quiet(self.page)
        for response in self._responses:
            if not response.url.startswith("http"):  # it holds what it gives
                self.sent.append(response.url.encode())
            elif response.status == 200 and "/static/" not in response.url:  # not Streamlit's own files
                try:
                    self.sent.append(response.body())
                except Error:  # the browser has forgotten it
                    self.sent.append(httpx.get(response.url, timeout=PATIENCE / 1000).content)
        self._responses.clear()

    def save(self, name: str) -> bytes:
        """Press a button of a download, and keep what it gives."""
        with self.page.expect_download() as download:
            self.page.get_by_role("button", name=name, exact=True).first.click()
        self.sent.append(Path(download.value.path()).read_bytes())
        return self.sent[-1]


@pytest.fixture
def recorded(visitor: Callable[..., BrowserContext]) -> Recording:
    return Recording(visitor(viewport={"width": 1280, "height": 1000}).new_page())


def test_no_response_frame_or_download_of_a_demo_of_figures_holds_a_pixel_of_its_data_set(
    demo: Server, recorded: Recording, folder: Path, photographed: Path, photographs: Path
) -> None:
    page, run = recorded.page, Store(photographed / "fer.sqlite").runs(status=["done"], goal="train")[0]
    page.goto(demo.url, wait_until="commit")
    expect(page.get_by_text("which of seven expressions it shows")).to_be_visible()
    quiet(page)
    page.get_by_role("button", name="Try face 1", exact=True).click()
    expect(page.get_by_role("img", name="Crop of face 1")).to_be_visible()
    recorded.settle()
    recorded.save("JSON")
    frame = Store(photographed / "fer.sqlite").predictions(run.id)["name"][0]
    for path, query in (
        ("made", {"run": run.id}),
        ("compare", {"view": "Paper"}),
        ("compare", {"view": "Leak meter"}),
        ("faces", {"frame": frame}),
        ("train", {"run": run.id, "part": "Frames", "frame": frame}),
        ("train", {"run": run.id, "part": "Map"}),
        ("train", {"run": run.id}),
    ):
        page.goto(demo.at(path, data="sfew", **query), wait_until="commit")
        expect(page.get_by_role("heading").first).to_be_visible()
        recorded.settle()
    assert b"article 5(1)(f)" in recorded.save("Report")
    assert recorded.save("Predictions").count(b"\n") == run.config.data.images + 1
    assert recorded.save("Export").startswith(b"PK")
    search = search_for(photographs, photographed)
    tried = PixelSearch([load_rgb(one.path) for one in read_published(folder).samples.samples])
    assert any(tried.found(data) for data in recorded.sent), "what is shown is in the recording"
    assert not [how for data in recorded.sent if (how := search.found(data))]


def test_an_answer_is_shared_by_a_link_whose_card_shows_it_and_nothing_is_written(
    demo: Server, visitor: Callable[..., BrowserContext]
) -> None:
    page = visitor(viewport={"width": 390, "height": 844}).new_page()
    page.goto(demo.url, wait_until="commit")
    quiet(page)
    page.get_by_role("button", name="Try face 2", exact=True).click()
    expect(page.get_by_role("img", name="Crop of face 1")).to_be_visible()
    quiet(page)
    before = {path for path in demo.home.rglob("*") if path.is_file()}
    page.get_by_role("button", name="Share this answer").first.click()
    page.get_by_role("button", name="Make the link").click()
    link = page.get_by_role("dialog").locator("code")
    expect(link).to_contain_text("?shared=")
    assert {path for path in demo.home.rglob("*") if path.is_file()} == before

    sent = httpx.get(address := link.inner_text())
    card = dict(re.findall(r'<meta property="([\w:]+)" content="([^"]*)">', sent.text))
    assert re.match(r"(Unsure, perhaps )?\w+ \d+ %$", card["og:title"])
    assert "not about what a person feels" in card["og:description"]
    picture = httpx.get(card["og:image"])
    assert picture.headers["cache-control"] == "no-store"
    assert Image.open(BytesIO(picture.content)).size == (1200, 630)

    friend = visitor().new_page()
    friend.goto(address, wait_until="commit")
    expect(friend.get_by_role("img", name=card["og:title"])).to_be_visible()
    expect(friend.get_by_role("button", name="Try face 1", exact=True)).to_be_visible()
    gone = demo.at("predict", shared="0" * 22)
    assert "Which expression does this face show?" in httpx.get(gone).text
    friend.goto(gone, wait_until="commit")
    expect(friend.get_by_role("button", name="Try face 1", exact=True)).to_be_visible()
    expect(friend.get_by_text("Someone shared")).to_have_count(0)
