"""Uploads against Streamlit's own routes and store of files: who may send, how much is held, what is dropped."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import httpx
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from streamlit import config
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.web.server.starlette.starlette_routes import create_upload_routes

from fer_core.config.settings import Limits
from fer_core.ui.shell.uploads import GRACE, Ledger, Uploads, address

MB = 1_000_000


class Place:
    """A server that takes uploads, with a clock of its own; every session is open until it is closed."""

    def __init__(self, limits: Limits) -> None:
        self.now, self.closed = 0.0, set[str]()
        self.files = MemoryUploadedFileManager("/_stcore/upload_file")
        self.ledger = Ledger(self.files, limits, lambda one: one not in self.closed, lambda: self.now)
        runtime = SimpleNamespace(is_active_session=lambda one: one not in self.closed)
        routes = create_upload_routes(runtime, self.files, None)  # type: ignore[arg-type]
        app = Starlette(routes=routes, middleware=[Middleware(Uploads, of=lambda: self.ledger)])
        self._app = app

    def put(
        self, session: str, file: str, size: int, *, of: str = "198.51.100.7", chunked: bool = False
    ) -> int:
        """Send a file, as a browser does or without saying how long it is, and return the answer's status."""
        head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n'
        body = head + bytes(size) + b"\r\n--b--\r\n"

        async def pieces() -> AsyncIterator[bytes]:
            for at in range(0, len(body), 65_536):
                yield body[at : at + 65_536]

        transport = httpx.ASGITransport(self._app, client=(of, 4000))
        headers = {"Content-Type": "multipart/form-data; boundary=b"}

        async def sent() -> int:
            client = httpx.AsyncClient(transport=transport, base_url="http://localhost")
            url = f"/_stcore/upload_file/{session}/{file}"
            return (await client.put(url, content=pieces() if chunked else body, headers=headers)).status_code

        with ThreadPoolExecutor(1) as thread:  # this one may have a loop of a browser's
            return thread.submit(lambda: asyncio.run(sent())).result()

    def has(self, session: str, *files: str) -> list[str]:
        return [one.file_id for one in self.files.get_files(session, files)]


@pytest.fixture
def place() -> Iterator[Place]:
    before = config.get_option("server.enableXsrfProtection")
    config.set_option("server.enableXsrfProtection", False)
    yield Place(Limits(upload_mb=1, all_upload_mb=3))
    config.set_option("server.enableXsrfProtection", before)


def test_a_page_without_an_uploader_takes_nothing_and_drops_what_was_there(place: Place) -> None:
    assert place.put("a", "1", 1000) == 409
    place.ledger.hold("a", set())
    assert place.put("a", "1", 1000) == 204
    assert place.has("a", "1")
    place.ledger.keep("a", None)  # the visit went on to a page without one
    assert not place.has("a", "1")
    assert place.put("a", "2", 1000) == 409


@pytest.mark.parametrize("chunked", [False, True])
def test_a_visitor_has_a_budget_over_all_visits_and_so_have_all_visitors(place: Place, chunked: bool) -> None:
    for session in "abcd":
        place.ledger.hold(session, set())
    assert place.put("a", "1", 2 * MB + MB // 2, chunked=chunked) == 413
    assert place.put("a", "1", MB * 9 // 10, chunked=chunked) == 204
    assert place.put("b", "2", MB * 9 // 10, chunked=chunked) == 204
    assert place.put("b", "3", MB * 9 // 10, chunked=chunked) == 429
    assert place.put("c", "4", MB * 9 // 10, of="198.51.100.8", chunked=chunked) == 204
    assert place.put("d", "5", MB * 9 // 10, of="198.51.100.9", chunked=chunked) == 429
    assert not place.has("b", "3")
    assert not place.has("d", "5")
    place.closed.add("a")
    place.files.remove_session_files("a")  # what Streamlit does where a visit ends
    assert place.put("d", "5", MB * 9 // 10, of="198.51.100.9", chunked=chunked) == 204


def test_small_files_without_end_are_refused(place: Place) -> None:
    place.ledger.hold("a", set())
    found = [place.put("a", str(number), 10) for number in range(12)]
    assert found[:4] == [204] * 4
    assert found[-1] == 429


def test_what_an_uploader_held_is_dropped_with_it_and_what_waits_for_it_is_not(place: Place) -> None:
    place.ledger.hold("a", set())
    for file in "12":
        assert place.put("a", file, 1000) == 204
    place.ledger.keep("a", set())  # drawn before the browser said which files its uploader holds
    assert place.has("a", "1", "2") == ["1", "2"]
    place.ledger.hold("a", {"1", "2"})
    place.ledger.keep("a", {"1", "2"})
    place.now += 2 * GRACE
    place.ledger.keep("b", None)
    assert place.has("a", "1", "2") == ["1", "2"]
    place.ledger.keep("a", {"2"})
    assert place.has("a", "1", "2") == ["2"]


def test_what_no_uploader_ever_holds_goes_after_a_while(place: Place) -> None:
    place.ledger.hold("a", set())
    assert place.put("a", "1", 1000) == 204
    place.now += 2 * GRACE
    place.ledger.keep("b", None)  # any visitor's page
    assert not place.has("a", "1")


def test_only_a_declared_proxy_says_who_a_visitor_is() -> None:
    assert address("203.0.113.1, 203.0.113.2", "198.51.100.7", True) == "203.0.113.2"
    assert address("203.0.113.1", "198.51.100.7", False) == "198.51.100.7"
    assert address(None, "127.0.0.1", False) == ""
