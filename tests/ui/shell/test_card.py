"""What a link shows of itself where it is pasted: title, description and picture in the page that the server sends."""

import asyncio
import re
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

import httpx
import pytest
from PIL import Image
from starlette.applications import Starlette
from starlette.routing import Mount
from streamlit import file_util
from streamlit.web.server.starlette.starlette_static_routes import create_streamlit_static_handler

from fer_core.ui.shell.door import guards


def get(address: str, **headers: str) -> httpx.Response:
    """Ask the guards, behind which stands the page that Streamlit sends for every address."""
    pages = create_streamlit_static_handler(directory=file_util.get_static_dir(), base_url=None)
    app = Starlette(routes=[Mount("/", pages)], middleware=guards())
    with ThreadPoolExecutor(1) as thread:  # this one may have a loop of a browser's
        client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://fer.example.org")
        return thread.submit(lambda: asyncio.run(client.get(address, headers=headers))).result()


def said(page: httpx.Response) -> dict[str, str]:
    return dict(re.findall(r'<meta property="([\w:]+)" content="([^"]*)">', page.text))


def test_a_page_carries_its_card_and_the_picture_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    page = get("/predict?run=ab%22%3E", **{"X-Forwarded-Proto": "https", "Accept-Encoding": "gzip"})
    assert page.headers["content-length"] == str(len(page.content))
    card = said(page)
    assert card["og:title"] != said(get("/made"))["og:title"]
    assert card["og:description"]
    assert card["og:url"] == "http://fer.example.org/predict?run=ab%22%3E"
    assert "</head>" in page.text.split("og:image")[-1]
    picture = Image.open(BytesIO(get(card["og:image"]).content))
    assert picture.size == (1200, 630)
    monkeypatch.setenv("FER_BEHIND_PROXY", "1")
    secure = said(get("/made", **{"X-Forwarded-Proto": "https", "Host": 'a"><b'}))
    assert secure["og:image"] == "https://a&quot;&gt;&lt;b/card.png"


def test_a_page_is_never_kept_without_its_card_and_other_files_pass_as_they_are() -> None:
    first = get("/")
    assert "etag" not in first.headers
    again = get("/", **{"If-Modified-Since": "Sun, 01 Nov 2099 00:00:00 GMT", "Range": "bytes=0-9"})
    assert again.status_code == 200
    assert again.content == first.content
    name = next(Path(file_util.get_static_dir()).glob("*.png")).name
    kept = get(f"/{name}")
    assert get(f"/{name}", **{"If-None-Match": kept.headers["etag"]}).status_code == 304
