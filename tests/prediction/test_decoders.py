"""Visitors' files are decoded in processes apart: the same pixels, and a bound on what one may cost."""

import json
import subprocess
import sys
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from fer_core import ROOT
from fer_core.config.settings import Limits
from fer_core.prediction.decoder import TOO_MUCH, send
from fer_core.prediction.decoders import Decoders
from fer_core.prediction.uploads import FORMATS, Refusal, Sent, Upload, read


def encoded(image: Image.Image, kind: str, **options: object) -> Sent:
    buffer = BytesIO()
    image.save(buffer, kind, **options)
    return Sent(f"a.{kind.lower()}", buffer.getvalue())


@pytest.fixture(scope="module")
def decoders() -> Decoders:
    return Decoders(Limits(megapixels=100))


NOISE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (50, 70, 3), dtype=np.uint8))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP"])
def test_the_pixels_are_those_of_this_process(decoders: Decoders, kind: str) -> None:
    sent = encoded(NOISE, kind)
    found, here = decoders.read(sent, "a"), read(sent, decoders.limits)
    assert isinstance(found, Upload)
    assert isinstance(here, Upload)
    np.testing.assert_array_equal(found.pixels, here.pixels)
    assert found.pixels.flags["WRITEABLE"]


def test_what_is_wrong_is_said_and_what_comes_smaller_too(decoders: Decoders) -> None:
    cut = encoded(NOISE, "PNG")
    found = decoders.read(Sent("cut.png", cut.data[:-200]), "a")
    assert isinstance(found, Refusal)
    assert "truncated" in found.reason
    phone = decoders.read(encoded(Image.new("L", (8160, 6144)), "JPEG"), "a")
    assert isinstance(phone, Upload)
    assert phone.pixels.shape == (1536, 2040, 3)
    assert phone.note == "read at 1/4 of its size: boxes count in 2040 x 1536 pixels"


def test_a_file_that_unfolds_beyond_its_memory_ends_alone(decoders: Decoders) -> None:
    bomb = encoded(Image.new("RGB", (9900, 9900)), "PNG", compress_level=1)
    found = decoders.read(bomb, "a")
    assert isinstance(found, Refusal)
    assert found.reason == TOO_MUCH
    assert isinstance(decoders.read(encoded(NOISE, "PNG"), "a"), Upload)


def test_a_file_that_takes_too_long_is_given_up_and_the_next_is_decoded() -> None:
    code = "from fer_core.prediction import decoder; decoder.SECONDS = 0.02; decoder.main()"
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdin=pipe, stdout=pipe) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        slow, quick = encoded(Image.new("RGB", (7000, 7000)), "PNG", compress_level=1), encoded(NOISE, "PNG")
        for sent in (slow, quick):
            asked = {"size": len(sent.data), "max_pixels": 50_000_000, "most": 50_000_000, "formats": FORMATS}
            send(process.stdin, asked, sent.data)
        assert "seconds to decode" in json.loads(process.stdout.readline())["reason"]
        assert json.loads(process.stdout.readline())["width"] == 70
        process.stdin.close()


def test_a_decoder_starts_without_what_a_page_needs() -> None:
    code = "import sys, fer_core.prediction.decoder; print(*sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert {"torch", "streamlit", "pandas", "pydantic", "scipy"}.isdisjoint(said.stdout.split())
