"""An answer shared on the visitor's wish: a link whose card shows it; the picture is drawn and kept in memory alone."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import streamlit as st
from PIL import Image, ImageDraw, ImageFont

from fer_core.config.run import CLASSES
from fer_core.prediction import limits
from fer_core.results.charts.style import CLASS_COLORS, INK
from fer_core.results.shares import percent
from fer_core.ui.parts.widgets import escaped
from fer_core.ui.shell.shared import shared

if TYPE_CHECKING:
    from fer_core.prediction.answers import Prediction

#: What stands on every card, and its size in pixels.
FOOT, SIZE = "A guess about a picture, not about what a person feels.", (1200, 630)


@st.dialog("Share this answer")
def share(visitor: str, face: Prediction, title: str, text: str) -> None:
    """Draw the choice of what a link's card shows, and the link once it is asked for.

    Args:
        title, text: the answer in a few words and in a sentence, plain.
    """
    pictured = st.checkbox("Show the face too", help="Else the card shows the answer and its probabilities.")
    png = card(face, title, pictured=pictured)
    st.image(png, alt=f"Card of the answer: {title}", width="stretch")
    if st.button("Make the link", type="primary", icon=":material/link:"):
        limits.admit(visitor, 1)
        name = shared().keep(title, f"{text} {FOOT}", png)
        address = f"{(st.context.url or '').partition('?')[0]}?shared={name}"
        st.code(address, language=None, wrap_lines=True)
    st.caption(
        "Who has the link sees this card, for a day at most. It is kept in the server's memory, never on disk."
    )


def shown() -> None:
    """Draw the answer that the page's link shares, while it lasts."""
    if found := shared().find(st.query_params.get("shared", "")):
        st.image(found.png, alt=found.title, width=600)
        st.caption(f"Someone shared this answer. {escaped(found.text)} Try a photo of your own.")


def card(face: Prediction, title: str, *, pictured: bool) -> bytes:
    """Draw the card of an answer: its title, the seven probabilities, and the face if it is to be seen.

    Returns:
        A PNG of `SIZE`.
    """
    image = Image.new("RGB", SIZE, "#fbfcfc")
    pen, font = ImageDraw.Draw(image), ImageFont.load_default
    pen.text((60, 36), title, INK["light"], font(60))
    left = 60
    if pictured:
        image.paste(Image.fromarray(face.crop).resize((400, 400), Image.Resampling.LANCZOS), (left, 140))
        left += 450
    widest = SIZE[0] - left - 290
    for row, (name, value) in enumerate(zip(CLASSES, face.best, strict=True)):
        top, start = 140 + 58 * row, left + 160
        end = start + round(widest * float(value))
        pen.text((left, top + 6), name, INK["light"], font(32))
        pen.rectangle((start, top, end, top + 46), CLASS_COLORS[name])
        pen.text((end + 16, top + 6), percent(value, 0), INK["light"], font(32))
    pen.text((60, 574), f"{FOOT}  FER Lab", "#5b6b73", font(26))
    packed = io.BytesIO()
    image.save(packed, "PNG", optimize=True)
    return packed.getvalue()
