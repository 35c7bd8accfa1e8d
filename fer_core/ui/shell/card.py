"""A card for every link: what a chat or a feed shows of it (Open Graph); its short address as a QR code for a talk."""

from __future__ import annotations

import html
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import segno
import streamlit as st
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import FileResponse

from fer_core.config.settings import load

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

#: Drawn by us: no picture of any data set is in it. 1200 x 630 pixels, what feeds show whole.
PICTURE = Path(__file__).parent / "card.png"

ANSWER = "A network says which of seven facial expressions a photo shows, where it looked, and how often that is right."
#: Title and description of a page, by the last part of its address.
WORDS = {
    "": ("FER Lab: facial expressions, measured honestly", ANSWER),
    "predict": ("Which expression does this face show?", ANSWER),
    "made": (
        "How it was made and measured",
        "Data, settings, accuracy with its interval, leaks, failed faces.",
    ),
    "compare": (
        "Compared, with intervals",
        "Curves and accuracies of finished runs, each with what it leaves out.",
    ),
    "faces": (
        "What the face detector found, and what it lost",
        "Every frame, its boxes, and why a face was lost.",
    ),
}

#: Digits of a run's id in a short address; `Store.whole_id` finds the run.
SHORT = 8

#: What a browser would have sent instead of the page: packed, a part of it, or nothing as it has it already.
INSTEAD = (b"accept-encoding", b"if-none-match", b"if-modified-since", b"range")


class Card:
    """Writes title, description and picture into the page that the server sends; the same page for every address."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request; only pages are looked at, and `card.png` is sent."""
        page = (
            scope["path"].rpartition("/")[2] if scope["type"] == "http" and scope["method"] == "GET" else None
        )
        if page == PICTURE.name:
            await FileResponse(PICTURE, headers={"Cache-Control": "max-age=86400"})(scope, receive, send)
            return
        if page not in WORDS:
            await self.app(scope, receive, send)
            return
        start: Message = {}
        body = bytearray()

        async def written(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                start = message
                return
            body.extend(message.get("body", b""))
            if message.get("more_body"):
                return
            headers = MutableHeaders(raw=start["headers"])
            if headers.get("content-type", "").startswith("text/html"):
                body[:] = body.replace(b"</head>", tags(scope, page).encode() + b"</head>", 1)
                headers["content-length"] = str(len(body))
                del headers["etag"], headers["last-modified"]
            await send(start)
            await send({"type": "http.response.body", "body": bytes(body)})

        kept = [(name, value) for name, value in scope["headers"] if name not in INSTEAD]
        await self.app({**scope, "headers": kept}, receive, written)


def tags(scope: Scope, page: str) -> str:
    """Return the head's Open Graph tags of a page at the address that a visitor asked for."""
    headers = Headers(scope=scope)
    scheme = (
        load().behind_proxy and headers.get("x-forwarded-proto", "").rpartition(",")[2].strip()
    ) or scope["scheme"]
    folder = f"{scheme}://{headers.get('host', '')}{scope['path'].removesuffix(page)}"
    query = scope["query_string"].decode("latin-1")
    title, description = WORDS[page]
    said = {
        "og:type": "website",
        "og:site_name": "FER Lab",
        "og:title": title,
        "og:description": description,
        "og:url": folder + page + f"?{query}" * bool(query),
        "og:image": f"{folder}{PICTURE.name}",
        "og:image:alt": "FER Lab: a face in a box, and seven bars",
        "twitter:card": "summary_large_image",
        "description": description,
    }
    return "".join(
        f'<meta {"property" if name.startswith("og:") else "name"}="{name}" content="{html.escape(text)}">'
        for name, text in said.items()
    )


@st.dialog("Share this page")
def share() -> None:
    """Draw the short address of what the page shows, and its QR code."""
    named = [(name, value) for name in st.query_params for value in st.query_params.get_all(name)]
    short = [
        (name, value[:SHORT] if name in ("run", "against") else value)
        for name, value in named
        if (name, value) != ("from", "upload")
    ]
    address = (st.context.url or "").partition("?")[0] + f"?{urlencode(short, safe='/:')}" * bool(short)
    st.code(address, language=None, wrap_lines=True)
    picture = segno.make(address, micro=False).svg_inline(scale=8, border=2, dark="#17252a", light="#ffffff")
    st.image(picture, alt=f"QR code of {address}", width=280)
    st.caption("Who opens it sees what you see now, your own pictures apart: they stay with you.")
