"""Hostile image files, made in memory, the same for the same seed: bombs, lies, damage, what only looks harmless."""

import io
import random
import struct
import zlib
from collections.abc import Callable, Iterator
from functools import cache

import numpy as np
from PIL import Image

from benchmarks.uploads import mutated

#: A kind of file and how it is made: (numbers of a seed) -> bytes.
Make = Callable[[random.Random], bytes]

SIDES = (1, 2, 7, 99, 1000, 4096, 12_000, 16_384, 16_385, 65_535, 1_000_000, 2**31 - 1)


@cache
def zeros(count: int) -> bytes:
    """Return zeros as deflate packs them best."""
    return zlib.compress(bytes(count), 9)


@cache
def plain_image(kind: str, mode: str, width: int, height: int, **options: object) -> bytes:
    """Return a black image as the bytes of a file."""
    return packed(Image.new(mode, (width, height)), kind, **options)


def packed(image: Image.Image, kind: str, **options: object) -> bytes:
    """Return an image as the bytes of a file."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def noise(draw: random.Random, width: int = 60, height: int = 40) -> Image.Image:
    """Return an image that shrinks little."""
    return Image.frombytes("RGB", (width, height), draw.randbytes(width * height * 3))


def chunk(kind: bytes, data: bytes) -> bytes:
    """Return a PNG's chunk with its checksum."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(
    width: int, height: int, rows: int, *more: bytes, depth: int = 8, colour: int = 6, tail: int = 0
) -> bytes:
    """Return a PNG of any header: so many zeros deflated, further chunks before them, `tail` bytes cut off."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    data = head + b"".join(more) + chunk(b"IDAT", zeros(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + data[: len(data) - tail]


def _sides(draw: random.Random) -> bytes:
    """A PNG that claims sides it does not have."""
    return png(
        draw.choice(SIDES),
        draw.choice(SIDES),
        draw.choice((0, 100, 100_000)),
        tail=draw.choice((0, 16)),
    )


def _png_bomb(draw: random.Random) -> bytes:
    """A PNG of zeros that keeps its word: up to 50 megapixels from 200 kB."""
    side = draw.choice((2000, 4000, 6000, 7071, 7072, 9000))
    channels, colour = draw.choice(((1, 0), (3, 2), (4, 6)))
    return png(side, side, side * (1 + side * channels), colour=colour)


def _tall(draw: random.Random) -> bytes:
    """A PNG one pixel wide, or one high."""
    long = draw.choice((16_384, 20_000, 49_999_999))
    return png(*draw.choice(((1, long), (long, 1))), min(long, 20_000_000))


def _truncated(draw: random.Random) -> bytes:
    """A good file cut anywhere."""
    kind = draw.choice(("JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP"))
    data = packed(noise(draw, draw.randrange(1, 300), draw.randrange(1, 300)), kind)
    return data[: draw.randrange(len(data))]


def _header(draw: random.Random) -> bytes:
    """A good file whose width and height are made huge where its format keeps them."""
    kind = draw.choice(("JPEG", "GIF", "BMP", "TIFF", "WEBP"))
    data = bytearray(packed(noise(draw), kind))
    for small in (60, 40):
        for form in ("<H", ">H", "<I", "<i"):
            found = data.find(struct.pack(form, small))
            if 0 < found < 200:
                most = 2 ** (8 * struct.calcsize(form) - (form[1] == "i")) - 1
                data[found : found + struct.calcsize(form)] = struct.pack(form, min(most, draw.choice(SIDES)))
                break
    return bytes(data)


def _scans(draw: random.Random) -> bytes:
    """A progressive JPEG with its last scan again and again: a pass over all pixels for a few bytes."""
    side = draw.choice((500, 2000, 5000))
    data = plain_image("JPEG", "L", side, side, progressive=True)
    last = data.rindex(b"\xff\xda")
    gap = draw.choice((b"", b"\xff\xff", b"\0", b"\xff\xfe\0\x04xx"))
    return data[:-2] + (gap + data[last:-2]) * draw.choice((40, 54, 56, 300, 3000)) + data[-2:]


def _jpeg_bomb(draw: random.Random) -> bytes:
    """A large plain JPEG, progressive or not, in one channel or three."""
    mode, width, height = (
        draw.choice(("L", "RGB", "CMYK")),
        *draw.choice(((8160, 6144), (9400, 9400), (12_000, 9000))),
    )
    return plain_image("JPEG", mode, width, height, progressive=draw.random() < 0.5, subsampling=0)


def _gif_frames(draw: random.Random) -> bytes:
    """A GIF with a great many pictures, or a picture larger than the whole."""
    data = packed(noise(draw, 8, 8).quantize(8), "GIF")
    start = data.index(b"\x2c")
    if draw.random() < 0.5:
        return data[: start + 5] + struct.pack("<HH", 60_000, 60_000) + data[start + 9 :]
    return data[:-1] + data[start:-1] * draw.choice((100, 10_000)) + b";"


def _apng(draw: random.Random) -> bytes:
    """A PNG that says it has pictures without end."""
    return png(8, 8, 8 * 33, chunk(b"acTL", struct.pack(">II", draw.choice((2, 1001, 2**31)), 0)))


def _tiff(draw: random.Random) -> bytes:
    """A TIFF whose directory lies: counts, offsets and sizes of its entries, or a directory that follows itself."""
    data = bytearray(
        packed(noise(draw), "TIFF", compression=draw.choice(("raw", "tiff_lzw", "tiff_deflate")))
    )
    start = struct.unpack("<I", data[4:8])[0]
    entries = struct.unpack("<H", data[start : start + 2])[0]
    if draw.random() < 0.3:
        data[start + 2 + 12 * entries : start + 6 + 12 * entries] = struct.pack("<I", start)
    for _ in range(draw.randrange(1, 4)):
        at = start + 2 + 12 * draw.randrange(entries) + draw.choice((0, 2, 4, 8))
        data[at : at + 4] = struct.pack("<I", draw.choice((0, 7, 2**16, 2**31, 2**32 - 1, start)))
    return bytes(data)


def _webp(draw: random.Random) -> bytes:
    """A WebP whose canvas is huge, or that has hundreds of pictures."""
    frames = [Image.new("RGB", (16, 16), (index, 0, 0)) for index in range(draw.choice((2, 300)))]
    data = bytearray(packed(frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=True))
    if draw.random() < 0.7:
        data[24:30] = draw.choice(
            (b"\xff\x3f\0\xff\x3f\0", b"\xff\xff\xff\xff\xff\xff", b"\xff\x1f\0\xff\x1f\0")
        )
    return bytes(data)


def _webp_bomb(draw: random.Random) -> bytes:
    """A WebP of one colour: 49 megapixels from a few hundred bytes."""
    side = draw.choice((3000, 5000))
    return plain_image("WEBP", "RGB", side, side, lossless=True, method=0, quality=0)


def _text(draw: random.Random) -> bytes:
    """A PNG with text, a profile or EXIF that unfolds to far more than it is."""
    much = zeros(draw.choice((2, 60)) << 20)
    kind, head = draw.choice(((b"zTXt", b"a\0\0"), (b"iTXt", b"a\0\1\0\0\0"), (b"iCCP", b"a\0\0")))
    return png(8, 8, 8 * 33, *[chunk(kind, head + much)] * draw.choice((1, 30)))


def _segments(draw: random.Random) -> bytes:
    """A JPEG with EXIF, a profile or XMP that is garbage, or tens of thousands of empty segments."""
    good = packed(noise(draw), "JPEG")
    mark, head = draw.choice(
        ((0xE1, b"Exif\0\0"), (0xE2, b"ICC_PROFILE\0\xff\xff"), (0xE1, b"http://ns.adobe.com/xap/1.0/\0"))
    )
    body = (
        head
        + draw.choice((b"MM\0*\0\0\0\x08\xff\xff", b"II*\0\x08\0\0\0", b"<x>" * 100))
        + draw.randbytes(4000)
    )
    one = bytes([0xFF, mark]) + struct.pack(">H", len(body) + 2) + body
    more = draw.choice((one, one * 200, b"\xff\xfe\0\2" * 30_000, b"\xff\xe1\0\2" * 30_000))
    return good[:2] + more + good[2:]


def _bmp(draw: random.Random) -> bytes:
    """A BMP whose rows are run-length coded and end early, or whose palette is larger than the file."""
    side = draw.choice((100, 5000, 16_000))
    head = struct.pack(
        "<IiiHHIIiiII",
        40,
        side,
        side,
        1,
        draw.choice((1, 8, 24, 32)),
        draw.choice((0, 1, 2, 3)),
        0,
        1,
        1,
        draw.choice((0, 256, 2**31)),
        0,
    )
    return b"BM" + struct.pack("<IHHI", 54, 0, 0, 54) + head + draw.randbytes(draw.choice((0, 2000)))


def _polyglot(draw: random.Random) -> bytes:
    """A file of two kinds at once."""
    good = [packed(noise(draw), kind) for kind in ("JPEG", "PNG", "GIF", "TIFF")]
    tail = draw.choice(
        (b"PK\x03\x04" + draw.randbytes(99), b"%PDF-1.7", b"<svg onload=alert(1)>", b"#!/bin/sh\n", *good)
    )
    first = draw.choice(good)
    return draw.choice((first + tail, tail + first, first[: draw.randrange(20)] + tail))


def _other(draw: random.Random) -> bytes:
    """What no visitor's format is: PostScript, SVG, PDF, a program, XML entities, text."""
    return draw.choice(
        (
            b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(/etc/passwd) run\n",
            b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "' + b"c" * 999 + b'">]><svg>&b;&b;</svg>',
            b"\x7fELF" + draw.randbytes(500),
            b"8BPS\0\1" + draw.randbytes(200),
            b"P6 99999 99999 255\n" + draw.randbytes(100),
            b"\0" * draw.choice((0, 1, 10_000)),
        )
    )  # fmt: skip


def _random(draw: random.Random) -> bytes:
    """Random bytes, behind the first bytes of a format or alone."""
    heads = (
        b"",
        b"\xff\xd8\xff",
        b"\x89PNG\r\n\x1a\n",
        b"GIF89a",
        b"BM",
        b"II*\0",
        b"MM\0*",
        b"RIFF\xff\xff\xff\x7fWEBPVP8 ",
        b"RIFF\xff\xff\0\0WEBPVP8L",
        b"\0\0\0\x18ftypheic",
        b"\0\0\0\x1cftypavif",
    )
    return draw.choice(heads) + draw.randbytes(draw.choice((1, 60, 5000)))


def _heif(draw: random.Random) -> bytes:
    """A HEIC or AVIF whose boxes claim other sizes."""
    from pillow_heif import register_heif_opener

    register_heif_opener()
    data = bytearray(packed(noise(draw), draw.choice(("HEIF", "AVIF"))))
    size = data.find(b"ispe")
    at = size + 8 if size > 0 and draw.random() < 0.6 else draw.randrange(len(data) - 4)
    data[at : at + 4] = struct.pack(">I", draw.choice((0, 8192, 65_535, 2**31)))
    return bytes(data)


#: Kinds of hostile files by name, and how often each is made of those that are not mutations.
KINDS: dict[str, tuple[Make, int]] = {
    "sides that a PNG does not have": (_sides, 120),
    "PNG of zeros": (_png_bomb, 40),
    "PNG of one pixel's width": (_tall, 12),
    "truncated": (_truncated, 150),
    "huge header": (_header, 120),
    "scans": (_scans, 50),
    "large JPEG": (_jpeg_bomb, 16),
    "pictures of a GIF": (_gif_frames, 40),
    "pictures of a PNG": (_apng, 10),
    "TIFF directory": (_tiff, 120),
    "WebP canvas": (_webp, 60),
    "WebP of one colour": (_webp_bomb, 4),
    "text and profiles of a PNG": (_text, 40),
    "segments of a JPEG": (_segments, 80),
    "BMP": (_bmp, 60),
    "two kinds at once": (_polyglot, 90),
    "other formats": (_other, 30),
    "random bytes": (_random, 120),
    "HEIC and AVIF boxes": (_heif, 80),
}


def files(seed: int = 0, share: float = 1.0) -> Iterator[tuple[str, str, bytes]]:
    """Yield hostile files as (kind, name, bytes): 1,242 of the kinds above and 300 mutations of good ones.

    Args:
        share: makes fewer of each kind, one at least.
    """
    for kind, (make, times) in KINDS.items():
        draw = random.Random(f"{seed} {kind}")
        for number in range(max(1, round(times * share))):
            yield kind, f"{kind} {number}.jpg", make(draw)
    for name, data in mutated(max(1, round(300 * share)), seed):
        yield "mutated", name, data


def crowd(faces: np.ndarray, side: int) -> bytes:
    """Return a JPEG as large as a visitor's is read, full of faces of `side` pixels: of hundreds each is looked at.

    Args:
        faces: (N, size, size, 3) uint8 RGB.
    """
    small = [Image.fromarray(face).resize((side, side)) for face in faces]
    whole = Image.new("RGB", (2048, 1536), "grey")
    for number, left in enumerate(range(0, 2048 - side, side + 4)):
        for row, top in enumerate(range(0, 1536 - side, side + 4)):
            whole.paste(small[(number + row) % len(small)], (left, top))
    return packed(whole, "JPEG", quality=90)


def plain() -> bytes:
    """Return a harmless photograph-like JPEG: what another visitor sends."""
    shade = np.linspace(0, 255, 480 * 640 * 3).reshape(480, 640, 3).astype(np.uint8)
    return packed(Image.fromarray(shade), "JPEG")
