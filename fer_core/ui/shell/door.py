"""What the web server lets in before Streamlit sees it: hosts, paths, uploads, and the messages of a browser."""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import TYPE_CHECKING

import streamlit as st
from google.protobuf.message import DecodeError
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import PlainTextResponse
from streamlit.proto.BackMsg_pb2 import BackMsg

from fer_core.config.settings import load

from . import card
from .uploads import Uploads

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = logging.getLogger("fer_core.ui")

#: What a page itself sends. Not among them: what empties all visitors' caches, and what asks for the source's history.
MESSAGES = {"rerun_script", "stop_script", "app_heartbeat", "file_urls_request", "backend_operation_request"}

#: Bytes of one message that are looked at: Streamlit refuses larger ones (`server.maxWidgetStateSize`).
LARGEST = 1 << 20

#: What a machine calls itself.
HERE = ("localhost", "127.0.0.1")

#: Files that one message announces.
MOST_FILES = 1000


def guards() -> list[Middleware]:
    """Return what every request passes first, the outermost first.

    Where `server.allowedHosts` names the hosts of this server, others get nothing; Streamlit heeds it for its
    WebSocket alone. A server of this machine alone, with no proxy before it, has no other name: a page of a foreign
    name that leads here is an attack (DNS rebinding).
    """
    hosts = st.get_option("server.allowedHosts")
    alone = st.get_option("server.address") in HERE and not load().behind_proxy
    named = [*hosts, *HERE] if hosts or alone else ["*"]
    return [
        Middleware(TrustedHostMiddleware, allowed_hosts=named, www_redirect=False),
        Middleware(Pages),
        Middleware(Uploads),
        Middleware(Messages),
    ]


def _developer() -> bool:
    return st.get_option("client.toolbarMode") == "developer"


#: What Streamlit answers anyone: what the server counts of itself, and a way in for programs, past `Messages`.
PRIVATE = ("/_stcore/metrics", "/_stcore/agent")


class Pages:
    """Sends pages with their cards, and hides what is no visitor's."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request; where `client.toolbarMode` is 'developer', nothing is hidden."""
        own = card.answer(scope) if scope["type"] == "http" else None
        if scope["type"] == "http" and any(part in scope["path"] for part in PRIVATE) and not _developer():
            own = PlainTextResponse("Not Found", 404)
        await (own or self.app)(scope, receive, send)


class Messages:
    """Passes on the messages that a page sends, and drops others: Streamlit acts on any, from anyone.

    Where `client.toolbarMode` is 'developer', what that menu sends is let in as well.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a connection; only WebSockets are looked at."""

        async def passed() -> Message:
            while True:
                message = await receive()
                if message["type"] != "websocket.receive" or not (reason := refused(message.get("bytes"))):
                    return message
                log.info("a message was dropped: %s", reason)

        await self.app(scope, passed if scope["type"] == "websocket" else receive, send)


def refused(data: bytes | None) -> str:
    """Return why a message of a browser is not let in, '' where it is; Streamlit itself ends what is no message."""
    message = BackMsg()
    with suppress(DecodeError):
        message.ParseFromString((data or b"")[: LARGEST + 1])
    kind = message.WhichOneof("type")
    if len(message.file_urls_request.file_names) > MOST_FILES:
        return f"it announces more than {MOST_FILES} files"
    if kind in (None, *MESSAGES) or _developer():
        return ""
    return f"{kind} is a developer's"
