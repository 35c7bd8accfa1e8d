"""A card for every link: what a chat or a feed shows of it (Open Graph); its short address as a QR code for a talk."""

from __future__ import annotations

import html
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlencode

import segno
import streamlit as st
from starlette.datastructures import Headers
from starlette.responses import FileResponse, HTMLResponse, PlainTextResponse, Response
from streamlit import file_util

from fer_core.config.settings import load

from .shared import shared

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Scope

#: Drawn by us, 1200 x 630 pixels: no picture of any data set is in it.
PICTURE = Path(__file__).parent / "card.png"
#: What a page's card says, by its path.
TITLES = {
    "/": "FER Lab: facial expressions, measured honestly",
    "/predict": "Which expression does this face show?",
    "/made": "How it was made and measured",
    "/compare": "Runs compared, with intervals",
    "/faces": "What the face detector found, and what it lost",
}
TEXT = "A network says which of seven facial expressions a photo shows, where it looked, and how often that is right."
#: Digits of a run's id in a short address; `Store.whole_id` finds the run.
SHORT = 8
#: Where the pictures of shared answers are; who keeps one or lists it would outlast its day.
SHARED, PASSING = "/shared/", {"Cache-Control": "no-store", "X-Robots-Tag": "noindex"}


def answer(scope: Scope) -> ASGIApp | None:
    """Return a page, one file of Streamlit's for every address, with its card; or a card's picture; else None."""
    if scope["method"] == "GET" and scope["path"].startswith(SHARED):
        found = shared().find(scope["path"].removeprefix(SHARED).removesuffix(".png"))
        return Response(found.png, headers=PASSING, media_type="image/png") if found else _gone
    if scope["method"] != "GET" or scope["path"] not in (*TITLES, f"/{PICTURE.name}"):
        return None
    if scope["path"] not in TITLES:
        return FileResponse(PICTURE)
    page = _page().replace("</head>", f"{tags(scope)}</head>", 1)
    return HTMLResponse(page, headers={"Cache-Control": "no-cache"})


_gone = PlainTextResponse("This answer is no longer shared", 404)


@cache
def _page() -> str:
    return Path(file_util.get_static_dir(), "index.html").read_text(encoding="utf-8")


def tags(scope: Scope) -> str:
    """Return the card of the page that a visitor asked for."""
    headers = Headers(scope=scope)
    secure = (
        load().behind_proxy and headers.get("x-forwarded-proto", "").rpartition(",")[2].strip() == "https"
    )
    host = f"{'https' if secure else scope['scheme']}://{headers.get('host', '')}"
    query = scope["query_string"].decode("latin-1")
    name = parse_qs(query).get("shared", [""])[0]
    answer = shared().find(name)
    said = {
        "og:type": "website",
        "og:site_name": "FER Lab",
        "og:title": answer.title if answer else TITLES[scope["path"]],
        "og:description": answer.text if answer else TEXT,
        "og:url": host + scope["path"] + f"?{query}" * bool(query),
        "og:image": f"{host}{SHARED}{name}.png" if answer else f"{host}/{PICTURE.name}",
        "twitter:card": "summary_large_image",
    }
    return "".join(f'<meta property="{name}" content="{html.escape(text)}">' for name, text in said.items())


@st.dialog("Share this page")
def share() -> None:
    """Draw the short address of what the page shows, and its QR code."""
    named = [(name, value) for name in st.query_params for value in st.query_params.get_all(name)]
    short = [(name, value[:SHORT] if name in ("run", "against") else value) for name, value in named]
    address = (st.context.url or "").partition("?")[0] + f"?{urlencode(short, safe='/:')}" * bool(short)
    st.code(address, language=None, wrap_lines=True)
    picture = segno.make(address, micro=False).svg_inline(scale=8, border=2, dark="#17252a", light="#ffffff")
    st.image(picture, alt=f"QR code of {address}", width=280)
    st.caption("Who opens it sees what you see now, your own pictures apart: they stay with you.")
