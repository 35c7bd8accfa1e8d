"""Image grids: names from data sets can't break out of the HTML."""

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

from fer_core.ui.parts import gallery
from fer_core.ui.parts.gallery import Tile, encode, grid


def test_encoded_images_keep_their_size() -> None:
    image = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    assert Image.open(io.BytesIO(encode(image))).size == (30, 20)


def test_names_are_escaped_and_images_have_alt_text(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[str] = []
    monkeypatch.setattr(gallery.st, "html", drawn.append)
    hostile = '"><script>alert(1)</script>'
    grid([Tile(b"jpeg", hostile, hostile, hostile, f"./faces?frame={hostile}")])
    assert "<script>" not in drawn[0]
    assert len(re.findall(r"<img ", drawn[0])) == 1
    assert "alt=" in drawn[0]
    assert base64.b64encode(b"jpeg").decode() in drawn[0]
