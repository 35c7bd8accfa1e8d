"""Grids of images as plain HTML: they wrap at any width, every image has alt text and is a link."""

import base64
import io
from collections.abc import Iterable
from dataclasses import dataclass
from html import escape

import numpy as np
import streamlit as st
from PIL import Image

from .widgets import escaped

#: Frames of a page: ten rows of four on a phone, whose page stays within three screens.
PAGE_SIZE = 40

#: Pixels across that Streamlit shows at most: a wider picture it would decode, shrink and encode once more.
WIDEST = 1460

#: Pixels of a side that a JPEG can have.
MOST_SIDE = 65_500


@dataclass(frozen=True)
class Tile:
    """One image of a grid: encoded JPEG, first caption line, second caption line, alt text, link."""

    jpeg: bytes
    title: str
    note: str
    alt: str
    link: str


def encode(image: np.ndarray, *, quality: int = 85, within: tuple[int, int] = (WIDEST, MOST_SIDE)) -> bytes:
    """Return an (H, W, 3) uint8 RGB image as JPEG bytes, made smaller where it is wider or higher than `within`."""
    buffer = io.BytesIO()
    picture = Image.fromarray(np.ascontiguousarray(image))
    picture.thumbnail(within, Image.Resampling.BILINEAR)
    picture.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def inline(jpeg: bytes) -> str:
    """Return a JPEG as the URL that holds it."""
    return "data:image/jpeg;base64," + base64.b64encode(jpeg).decode()


def pick(jpeg: bytes, name: str, key: str, *, caption: str = "", alt: str = "") -> bool:
    """Draw a picture that is a button, and return whether it was pressed; without a mouse it is one as well.

    Args:
        name: of the button, for those who hear the page.
        key: of the button, letters, digits and dashes.
    """
    with st.container(key=f"pick-{key}", width=128):
        st.image(jpeg, caption=escaped(caption) or None, alt=alt or name, width="stretch")
        return st.button(name, key=f"press-{key}", width="stretch")


def grid(tiles: Iterable[Tile], *, width: int = 112, columns: int | str = "auto-fill") -> None:
    """Draw the tiles, at least `width` pixels wide each, in so many columns; names and labels are escaped."""
    figures = []
    for tile in tiles:
        link, alt = escape(tile.link, quote=True), escape(tile.alt, quote=True)
        figures.append(
            f'<figure><a href="{link}" target="_self" title="{alt}">'
            f'<img loading="lazy" src="{inline(tile.jpeg)}" alt="{alt}"></a>'
            f"<figcaption>{escape(tile.title)}<small>{escape(tile.note)}</small></figcaption></figure>"
        )
    style = f"--tile: {width}px; --columns: {columns}"
    st.html(f'<div class="fer-grid" style="{style}">{"".join(figures)}</div>')
