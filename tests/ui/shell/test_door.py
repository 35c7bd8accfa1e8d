"""What a browser may send: a page's own messages; nothing that empties everyone's caches."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount
from starlette.types import Message, Receive, Scope, Send
from streamlit.proto.BackMsg_pb2 import BackMsg

from fer_core.ui.shell.door import guards


def let_in(*messages: BackMsg | bytes) -> list[bytes]:
    """Send messages over a WebSocket and return those that reach the server behind the guards."""
    waiting: list[Message] = [
        {"type": "websocket.receive", "bytes": one if isinstance(one, bytes) else one.SerializeToString()}
        for one in messages
    ]
    seen: list[bytes] = []

    async def server(scope: Scope, receive: Receive, send: Send) -> None:
        while (message := await receive())["type"] == "websocket.receive":
            seen.append(message["bytes"])

    async def receive() -> Message:
        return waiting.pop(0) if waiting else {"type": "websocket.disconnect"}

    async def send(message: Message) -> None:
        raise AssertionError(message)

    app = server
    for guard in reversed(guards()):
        app = guard.cls(app, *guard.args, **guard.kwargs)
    with ThreadPoolExecutor(1) as thread:  # this one may have a loop of a browser's
        thread.submit(lambda: asyncio.run(app({"type": "websocket"}, receive, send))).result()
    return seen


def developer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the toolbar's mode to that of developers."""
    options = {"client.toolbarMode": "developer", "server.allowedHosts": [], "server.address": None}
    monkeypatch.setattr("streamlit.get_option", options.__getitem__)


def answer(path: str, host: str) -> int:
    """Return the status with which a request is answered, 200 where it reaches the server behind the guards."""
    app = Starlette(routes=[Mount("/", PlainTextResponse("reached"))], middleware=guards())
    with ThreadPoolExecutor(1) as thread:
        client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=f"http://{host}")
        return thread.submit(lambda: asyncio.run(client.get(path))).result().status_code


def test_what_the_server_counts_of_itself_is_not_public(monkeypatch: pytest.MonkeyPatch) -> None:
    assert answer("/", "any.example") == 200
    assert answer("/_stcore/metrics", "localhost") == 404
    assert answer("/base/_stcore/metrics/", "localhost") == 404
    assert answer("/%5Fstcore/metrics?families=a", "localhost") == 404
    assert answer("/_stcore/agent/openapi.json", "localhost") == 404
    developer(monkeypatch)
    assert answer("/_stcore/metrics", "localhost") == 200


def test_where_hosts_are_named_others_get_no_page(monkeypatch: pytest.MonkeyPatch) -> None:
    options: dict[str, object] = {
        "client.toolbarMode": "minimal",
        "server.allowedHosts": ["fer.example.org"],
        "server.address": "0.0.0.0",
    }
    monkeypatch.setattr("streamlit.get_option", options.__getitem__)
    assert answer("/", "fer.example.org") == 200
    assert answer("/", "127.0.0.1:8501") == 200  # a health check
    assert answer("/", "evil.example") == 400
    assert answer("/_stcore/stream", "fer.example.org.evil.example") == 400


def test_a_server_of_this_machine_alone_has_no_other_name(monkeypatch: pytest.MonkeyPatch) -> None:
    options = {"client.toolbarMode": "minimal", "server.allowedHosts": [], "server.address": "127.0.0.1"}
    monkeypatch.setattr("streamlit.get_option", options.__getitem__)
    assert answer("/", "localhost:8501") == answer("/", "127.0.0.1") == 200
    assert answer("/", "rebound.example") == 400
    monkeypatch.setenv("FER_BEHIND_PROXY", "1")
    assert answer("/", "fer.example.org") == 200


def test_a_page_is_heard_and_a_stranger_cannot_empty_the_caches(monkeypatch: pytest.MonkeyPatch) -> None:
    page, clear, history = BackMsg(), BackMsg(clear_cache=True), BackMsg(load_git_info=True)
    page.rerun_script.page_name = "faces"
    assert let_in(clear, page, history, clear) == [page.SerializeToString()]
    developer(monkeypatch)
    assert let_in(clear) == [clear.SerializeToString()]


def test_no_message_announces_files_without_end_and_what_is_none_is_left_to_streamlit() -> None:
    asked = BackMsg()
    asked.file_urls_request.file_names.extend(["a.png"] * 3)
    many = BackMsg()
    many.file_urls_request.file_names.extend(["a.png"] * 100_000)
    assert let_in(asked, many, b"\xff" * 40) == [asked.SerializeToString(), b"\xff" * 40]
