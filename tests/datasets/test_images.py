"""Images of every kind become the same 8-bit RGB; bad ones are named with a reason."""

from __future__ import annotations

import hashlib
import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFile
from skimage.color import rgb2lab

from fer_core.datasets.file_records import ImageFacts, inspect
from fer_core.datasets.images import decode, load_rgb
from fer_core.errors import DataError


def noise(height: int = 24, width: int = 32, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def encode(image: Image.Image, kind: str = "PNG", **kwargs: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **kwargs)
    return buffer.getvalue()


def png(width: int, height: int, depth: int, colour: int, rows: bytes) -> bytes:
    """Write a PNG by hand, for depths that Pillow doesn't write."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def test_rgb_is_untouched_and_writable(tmp_path: Path) -> None:
    pixels = noise()
    path = tmp_path / "x.png"
    path.write_bytes(encode(Image.fromarray(pixels)))
    for source in (path, str(path), path.read_bytes()):
        found = load_rgb(source)
        assert found.dtype == np.uint8
        assert found.flags["C_CONTIGUOUS"]
        assert found.flags["WRITEABLE"]
        np.testing.assert_array_equal(found, pixels)


def test_palettes_grey_and_bilevel_become_three_channels() -> None:
    palette = Image.fromarray(noise()).quantize(17)
    table = np.array(palette.getpalette()).reshape(-1, 3)
    np.testing.assert_array_equal(load_rgb(encode(palette)), table[np.asarray(palette)])
    stored = Image.fromarray(noise()[:, :, 0])
    np.testing.assert_array_equal(
        load_rgb(encode(stored)), np.repeat(np.asarray(stored)[:, :, None], 3, axis=2)
    )
    bits = Image.fromarray(np.asarray(stored) > 127)
    assert bits.mode == "1"
    expected = np.where(np.asarray(stored) > 127, 255, 0)[:, :, None].repeat(3, axis=2)
    np.testing.assert_array_equal(load_rgb(encode(bits)), expected)


def test_transparency_is_laid_over_white() -> None:
    for channels in (4, 2):  # RGBA, LA
        pixels = np.full((1, 3, channels), 100, np.uint8)
        pixels[0, :, -1] = (0, 128, 255)
        found = load_rgb(encode(Image.fromarray(pixels)))
        np.testing.assert_allclose(found[0, :, 0], [255, 177, 100], atol=1)
        assert found[0, 0].tolist() == [255, 255, 255]
    stored = Image.new("P", (2, 1))
    stored.putpalette([10, 20, 30, 40, 50, 60])
    stored.putpixel((1, 0), 1)
    assert load_rgb(encode(stored, transparency=0)).tolist() == [[[255, 255, 255], [40, 50, 60]]]
    keyed = Image.fromarray(np.array([[[1, 2, 3], [9, 9, 9]]], np.uint8))
    assert load_rgb(encode(keyed, transparency=(1, 2, 3))).tolist() == [[[255, 255, 255], [9, 9, 9]]]


def test_16_bit_values_are_scaled_not_clipped() -> None:
    values = np.array([[0, 128, 257, 32768, 65535, 200, 1000, 50000]], np.uint16)
    stored = Image.fromarray(values)
    assert stored.mode.startswith("I;16")
    expected = [round(value / 257) for value in values[0].tolist()]
    for kind in ("PNG", "TIFF"):
        assert load_rgb(encode(stored, kind))[0, :, 1].tolist() == expected
    row = b"\0" + struct.pack(">6H", 0, 32768, 65535, 65535, 0, 257)
    found = load_rgb(png(2, 1, 16, 2, row))
    np.testing.assert_allclose(found.reshape(-1), [0, 128, 255, 255, 0, 1], atol=1)


def test_32_bit_values_need_a_known_range() -> None:
    floats = np.array([[0.0, 0.5, 1.0]], np.float32)
    assert load_rgb(encode(Image.fromarray(floats), "TIFF"))[0, :, 0].tolist() == [0, 128, 255]
    bytes_ = np.array([[0, 7, 255]], np.int32)
    assert load_rgb(encode(Image.fromarray(bytes_), "TIFF"))[0, :, 0].tolist() == [0, 7, 255]
    for values in (np.array([[0, 70000]], np.int32), np.array([[-3.0, 0.5]], np.float32)):
        with pytest.raises(DataError, match="no stated white"):
            load_rgb(encode(Image.fromarray(values), "TIFF"))


def test_cmyk_jpeg_lab_and_ycbcr_keep_their_colours() -> None:
    colour = Image.new("RGB", (32, 32), (200, 60, 40))
    for stored in (encode(colour.convert("CMYK"), "JPEG", quality=95), encode(colour, "JPEG", quality=95)):
        np.testing.assert_allclose(load_rgb(stored).mean((0, 1)), (200, 60, 40), atol=4)
    light, a, b = rgb2lab(np.array([[[200, 60, 40]]], np.uint8))[0, 0]
    lab = Image.new("LAB", (4, 4), (round(light * 2.55), round(a + 128), round(b + 128)))
    np.testing.assert_allclose(load_rgb(encode(lab, "TIFF")).mean((0, 1)), (200, 60, 40), atol=4)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied_once(kind: str, orientation: int, tmp_path: Path) -> None:
    upright = np.zeros((16, 32, 3), np.uint8)
    upright[:8, :16] = (250, 0, 0)  # red at the top left, nowhere else
    # The stored array is what each orientation's definition maps back to upright.
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright, 1),
        7: upright[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "x"
    path.write_bytes(encode(Image.fromarray(np.ascontiguousarray(stored)), kind, exif=exif.tobytes()))
    found, facts = load_rgb(path), inspect(path)
    assert found.shape == (16, 32, 3)
    assert facts == ImageFacts(32, 16, "RGB", None, hashlib.sha256(path.read_bytes()).hexdigest())
    red = found[:, :, 0] > 125
    np.testing.assert_array_equal(red, upright[:, :, 0] > 125)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF:UserWarning")
def test_deep_images_are_turned_too_and_broken_exif_does_not_lose_the_picture() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    stored = Image.fromarray(np.arange(6, dtype=np.uint16).reshape(2, 3) * 257)
    assert load_rgb(encode(stored, exif=exif.tobytes()))[:, :, 0].tolist() == [[3, 0], [4, 1], [5, 2]]
    pixels = noise()
    found = load_rgb(encode(Image.fromarray(pixels), exif=b"Exif\0\0II*\0\xff\xff\xff\xff"))
    np.testing.assert_array_equal(found, pixels)


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP"])
def test_of_an_animation_the_first_picture_counts(kind: str) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ((255, 0, 0), (0, 0, 255))]
    options = {"lossless": True} if kind == "WEBP" else {}
    data = encode(frames[0], kind, save_all=True, append_images=frames[1:], **options)
    np.testing.assert_allclose(load_rgb(data).mean((0, 1)), (255, 0, 0), atol=2)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "TIFF"])
def test_truncated_files_are_refused(kind: str) -> None:
    data = encode(Image.fromarray(noise(200, 200)), kind)
    assert ImageFile.LOAD_TRUNCATED_IMAGES is False
    for share in (0.5, 0.9):
        with pytest.raises(DataError, match=r"truncated|not an image"):
            load_rgb(data[: int(len(data) * share)])


def test_reasons_name_what_is_wrong(tmp_path: Path) -> None:
    wrong = {
        "empty.png": (b"", "empty file"),
        "text.jpg": (b"this is no picture", "not an image"),
        "checksum.png": (encode(Image.fromarray(noise()))[:-30] + bytes(30), "damaged"),
        "bomb.png": (png(30000, 30000, 8, 0, b""), "too large"),
        "wide.png": (png(9000, 9000, 8, 0, b""), "9000x9000, the limit is 50 megapixels"),
    }
    for name, (data, reason) in wrong.items():
        path = tmp_path / name
        path.write_bytes(data)
        with pytest.raises(DataError, match=reason):
            load_rgb(path)
        facts = inspect(path)
        assert facts.reason is not None
        assert facts.width == 0
        assert facts.sha256 == hashlib.sha256(data).hexdigest()
    with pytest.raises(DataError, match="no such file"):
        load_rgb(tmp_path / "none.png")
    with pytest.raises(DataError, match="folder"):
        load_rgb(tmp_path)
    assert inspect(tmp_path / "none.png").reason == "no such file"


def test_formats_and_the_pixel_limit_are_the_callers() -> None:
    with pytest.raises(DataError, match="not an image"):
        load_rgb(encode(Image.new("RGB", (8, 8)), "EPS"))  # it runs another program
    data = encode(Image.fromarray(noise(10, 10)))
    assert decode(data, max_pixels=100).pixels.shape == (10, 10, 3)
    with pytest.raises(DataError, match="too large: 10x10"):
        decode(data, max_pixels=99)
    with pytest.raises(DataError, match="not an image"):
        decode(data, formats=("JPEG",))
