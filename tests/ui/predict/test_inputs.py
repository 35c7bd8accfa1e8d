"""Uploads are judged once a visit and decoded once a view, within a bound of memory."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from fer_core.prediction import limits
from fer_core.prediction.uploads import Sent
from fer_core.ui.predict.inputs import Item


def jpeg(shade: int) -> bytes:
    buffer = BytesIO()
    Image.new("RGB", (40, 30), (shade,) * 3).save(buffer, "JPEG")
    return buffer.getvalue()


def page(files: list[tuple[str, bytes]]) -> None:
    import streamlit as st

    from fer_core.ui.predict import inputs

    items = inputs.read_all(files, "someone")
    st.session_state["shown"] = [(item.name, item.image is not None, item.pixels().shape) for item in items]
    st.session_state["keys"] = len(inputs.known())


def refused(files: list[tuple[str, bytes]]) -> None:
    import streamlit as st

    from fer_core.errors import BusyError
    from fer_core.ui.predict import inputs

    try:
        inputs.read_all(files, "someone")
    except BusyError as error:
        st.session_state["said"] = str(error)


def test_a_view_decodes_what_is_new_and_names_what_it_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    files = [("a.jpg", jpeg(10)), ("b.jpg", jpeg(200)), ("c.jpg", b"<script>")]
    test = AppTest.from_function(page, args=(files,)).run()
    assert not test.exception
    for at_hand in (True, False):  # what a view has decoded goes with it
        assert test.session_state["shown"] == [(name, at_hand, (30, 40, 3)) for name in ("a.jpg", "b.jpg")]
        assert "not an image" in test.error[0].value
        assert test.session_state["keys"] == 3
        test.run()
    monkeypatch.setattr("fer_core.ui.predict.inputs.DECODED_BYTES", 1)
    bounded = AppTest.from_function(page, args=(files,)).run()
    assert [at_hand for _, at_hand, _ in bounded.session_state["shown"]] == [True, False]
    gone = AppTest.from_function(page, args=([],))
    gone.session_state["known"] = {("digest", None, "verdict"): ""}
    assert gone.run().session_state["keys"] == 0


def test_pixels_are_no_part_of_what_an_image_is() -> None:
    bare = Item("a.jpg", "digest", Sent("a.jpg", jpeg(10)))
    assert bare == Item("a.jpg", "digest", bare.sent, image=np.zeros((30, 40, 3), np.uint8))


def test_what_is_over_the_rate_is_refused_before_it_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FER_LIMITS", "images_per_minute=2")
    limits.guard.cache_clear()
    decoded: list[str] = []
    monkeypatch.setattr(limits, "read", lambda sent, *_: decoded.append(sent.name))
    files = [(f"{shade}.jpg", jpeg(shade)) for shade in (1, 2, 3)]
    test = AppTest.from_function(refused, args=(files,)).run()
    limits.guard.cache_clear()
    assert "At most 2 images a minute" in test.session_state["said"]
    assert not decoded
