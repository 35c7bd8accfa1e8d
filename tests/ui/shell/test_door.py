"""What a browser may send: a page's own messages; nothing that empties everyone's caches."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest
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


def test_a_page_is_heard_and_a_stranger_cannot_empty_the_caches(monkeypatch: pytest.MonkeyPatch) -> None:
    page, clear, history = BackMsg(), BackMsg(clear_cache=True), BackMsg(load_git_info=True)
    page.rerun_script.page_name = "faces"
    assert let_in(clear, page, history, clear) == [page.SerializeToString()]
    monkeypatch.setattr("streamlit.get_option", {"client.toolbarMode": "developer"}.__getitem__)
    assert let_in(clear) == [clear.SerializeToString()]


def test_no_message_announces_files_without_end_and_what_is_none_is_left_to_streamlit() -> None:
    asked = BackMsg()
    asked.file_urls_request.file_names.extend(["a.png"] * 3)
    many = BackMsg()
    many.file_urls_request.file_names.extend(["a.png"] * 100_000)
    assert let_in(asked, many, b"\xff" * 40) == [asked.SerializeToString(), b"\xff" * 40]
