"""Uploads are decoded once a view, within a bound of memory."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from fer_core.ui.predict import inputs
from fer_core.ui.predict.inputs import Decoded, _read


def jpeg(shade: int) -> bytes:
    buffer = BytesIO()
    Image.new("RGB", (40, 30), (shade,) * 3).save(buffer, "JPEG")
    return buffer.getvalue()


def test_a_view_decodes_each_upload_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inputs.st, "session_state", {})
    calls: list[str] = []
    whole = inputs.read

    def counted(sent, limits):
        calls.append(sent.name)
        return whole(sent, limits)

    monkeypatch.setattr(inputs, "read", counted)
    files = [("a.jpg", jpeg(10)), ("b.jpg", jpeg(200))]
    for _view in range(2):
        calls.clear()
        items = _read(files)
        for item in items * 3:
            assert item.pixels().shape == (30, 40, 3)
        assert sorted(calls) == ["a.jpg", "b.jpg"]
    assert _read(files) == items  # what a view has decoded is no part of what an image is


def test_the_longest_unused_goes_first_and_one_image_always_fits() -> None:
    image = np.zeros((10, 10, 3), np.uint8)
    decoded, made = Decoded(most=2 * image.nbytes), []

    def get(name: str) -> None:
        decoded.get(name, lambda: made.append(name) or image)

    for name in ("a", "b", "a", "c", "a", "b"):
        get(name)
    assert made == ["a", "b", "c", "b"]
    large = np.zeros((100, 100, 3), np.uint8)
    decoded.keep("large", large)
    assert decoded.get("large", list) is large
