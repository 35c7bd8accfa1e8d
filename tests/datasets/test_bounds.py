"""What a header claims is judged before a pixel is decoded; large photographs come at reduced scale."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fer_core.datasets.bounds import MAX_SCANS, scans
from fer_core.datasets.file_records import inspect
from fer_core.datasets.images import decode, load_rgb
from fer_core.errors import DataError

RAMP = np.linspace(0, 255, 60 * 80 * 3).reshape(60, 80, 3).astype(np.uint8)


def encode(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, *more: bytes) -> bytes:
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0))
    return (
        b"\x89PNG\r\n\x1a\n"
        + head
        + b"".join(more)
        + chunk(b"IDAT", zlib.compress(b""))
        + chunk(b"IEND", b"")
    )


def scanned(times: int, **options: object) -> bytes:
    """Return a JPEG whose last scan comes so many times more."""
    data = encode(Image.fromarray(RAMP), "JPEG", **options)
    last = data.rindex(b"\xff\xda")
    return data[:-2] + data[last:-2] * times + data[-2:]


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (png(1, 49_999_999), "1x49999999, a side may have 16,384 pixels"),
        (png(6000, 7000), "bytes can't hold 6000x7000 pixels"),
        (scanned(MAX_SCANS, progressive=True), "more than 64 scans"),
        (png(8, 8, chunk(b"acTL", struct.pack(">II", 5000, 0))), "pictures; the limit is 1,000"),
        (encode(Image.new("L", (16_400, 2)), "JPEG"), "a side may have 16,384"),
        (encode(Image.new("1", (16_000, 6000)), "JPEG"), "16000x6000, the limit is 89 megapixels"),
    ],
)
def test_what_would_cost_too_much_is_refused_by_its_header(data: bytes, reason: str) -> None:
    with pytest.raises(DataError, match=reason):
        load_rgb(data)


def test_scans_are_counted_however_they_are_hidden() -> None:
    baseline, progressive = (
        encode(Image.fromarray(RAMP), "JPEG"),
        encode(Image.fromarray(RAMP), "JPEG", progressive=True),
    )
    assert scans(io.BytesIO(baseline)) == 1
    assert scans(io.BytesIO(progressive)) == progressive.count(b"\xff\xda") == 10
    thumbnail = Image.Exif()
    thumbnail[0x010E] = "\xff\xda" * 300  # scans of what lies in a header are none of the picture's
    assert scans(io.BytesIO(encode(Image.fromarray(RAMP), "JPEG", exif=thumbnail.tobytes()))) == 1
    padded = scanned(100, progressive=True).replace(b"\xff\xda", b"garbage\xff\xff\xff\xda")
    assert scans(io.BytesIO(padded)) > MAX_SCANS
    late = scanned(100, progressive=True)
    comment = b"\xff\xfe\xff\xff" + bytes(0xFFFD)
    assert scans(io.BytesIO(late[:2] + comment * 30 + late[2:])) > MAX_SCANS  # beyond the first megabyte
    np.testing.assert_array_equal(load_rgb(progressive), np.asarray(Image.open(io.BytesIO(progressive))))


def test_a_50_megapixel_photo_is_read_at_half_its_size(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    path = tmp_path / "phone.jpg"
    path.write_bytes(encode(Image.new("L", (8160, 6144), 90), "JPEG", exif=exif))
    found = decode(path)
    assert (found.pixels.shape, found.scale) == ((4080, 3072, 3), 2)
    assert np.ptp(found.pixels) == 0
    assert (inspect(path).width, inspect(path).height) == (3072, 4080)
    with pytest.raises(DataError, match="the limit is 50 megapixels"):
        load_rgb(png(8160, 6144))


@pytest.mark.parametrize(
    ("most", "scale"), [(240_000, 1), (60_000, 2), (26_800, 3), (15_000, 4), (9_000, 6), (3_750, 8)]
)
def test_a_jpeg_comes_as_large_as_is_wanted(most: int, scale: int) -> None:
    smooth = Image.fromarray(np.tile(np.linspace(0, 255, 600).astype(np.uint8), (400, 1)))
    found = decode(encode(smooth, "JPEG", quality=95), most=most)
    assert (found.pixels.shape, found.scale) == ((-(-400 // scale), -(-600 // scale), 3), scale)
    means = np.asarray(smooth, dtype=float)[0, : 600 // scale * scale].reshape(-1, scale).mean(1)
    assert np.abs(found.pixels[0, : len(means), 0] - means).max() <= 3


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA", "P", "L", "I;16"])
def test_other_kinds_are_reduced_to_the_means_of_their_pixels(mode: str) -> None:
    grey = Image.fromarray(RAMP).convert("L")
    stored = (
        Image.fromarray(np.asarray(grey).astype(np.uint16) * 257) if mode == "I;16" else grey.convert(mode)
    )
    found = decode(encode(stored, "PNG"), most=60 * 80 // 4)
    assert (found.pixels.shape, found.scale) == ((30, 40, 3), 2)
    means = np.asarray(grey, dtype=float).reshape(30, 2, 40, 2).mean((1, 3))
    assert np.abs(found.pixels - means[:, :, None]).max() <= 1


def test_large_images_are_converted_in_strips_to_the_same_pixels() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (1300, 1100, 4), dtype=np.uint8)
    whole = Image.fromarray(pixels)
    expected = Image.alpha_composite(Image.new("RGBA", whole.size, "white"), whole).convert("RGB")
    np.testing.assert_array_equal(load_rgb(encode(whole, "PNG", compress_level=1)), np.asarray(expected))
