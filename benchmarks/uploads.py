"""Malformed uploads: seeded mutations of good files, read as a visitor's would be.

    python benchmarks/uploads.py [--json] [--count 1000] [--seed 0]

Each upload is a good JPEG, PNG, TIFF, WebP, HEIC or zip with bytes flipped, cut off, repeated, spliced with another
file or its header's numbers made huge. Reading must end in pixels or in a refusal with a reason: anything else
is a crash. An audit hook counts files opened for writing; the largest memory is the process's own.
"""

import argparse
import io
import json
import os
import random
import resource
import sys
import time
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from fer_core.config.settings import Limits  # noqa: E402
from fer_core.prediction.uploads import Upload, read, unfold  # noqa: E402

KINDS = {"jpg": "JPEG", "png": "PNG", "tif": "TIFF", "webp": "WEBP", "heic": "HEIF"}


def seeds() -> dict[str, bytes]:
    """Return good files by suffix, two pictures in the TIFF, two files in the zip."""
    from pillow_heif import register_heif_opener

    register_heif_opener()
    noise = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    smooth = np.linspace(0, 255, 48 * 64 * 3).reshape(48, 64, 3).astype(np.uint8)
    image, other = Image.fromarray(smooth), Image.fromarray(noise)
    found = {}
    for suffix, kind in KINDS.items():
        buffer = io.BytesIO()
        more = {"save_all": True, "append_images": [other]} if kind == "TIFF" else {}
        image.save(buffer, kind, **more)
        found[suffix] = buffer.getvalue()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("faces/a.png", found["png"])
        archive.writestr("b.jpg", found["jpg"])
    return found | {"zip": buffer.getvalue()}


def mutated(count: int, seed: int) -> Iterator[tuple[str, bytes]]:
    """Yield `count` malformed uploads as (name, bytes), the same for the same seed."""
    good = seeds()
    draw = random.Random(seed)
    for index in range(count):
        suffix = draw.choice(sorted(good))
        data = bytearray(good[suffix])
        for _ in range(draw.choice((1, 1, 2, 5))):
            _mutate(data, draw, good)
        name = draw.choice((f"{index}.{suffix}", f"../../{index}.{suffix}", f"\u202e{index}\n.{suffix}"))
        yield name, bytes(data)


def _mutate(data: bytearray, draw: random.Random, good: dict[str, bytes]) -> None:
    at = draw.randrange(max(1, len(data)))
    near = draw.randrange(max(1, min(96, len(data))))  # headers lie at the front
    how = draw.randrange(7)
    if not data or how == 0:
        del data[at:]
    elif how == 1:
        for _ in range(draw.choice((1, 8, 64))):
            data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
    elif how == 2:
        data[near : near + 4] = draw.choice((b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\0\0\0\0"))
    elif how == 3:
        data[at:at] = data[at : at + draw.choice((4, 512))] * draw.choice((1, 50))
    elif how == 4:
        data[near:near] = draw.randbytes(draw.choice((1, 64)))
    elif how == 5:
        data[at:] = draw.choice(sorted(good.values()))[at:]
    else:
        del data[near : near + draw.choice((1, 16))]


def measure(count: int, seed: int) -> dict[str, object]:
    """Read all uploads and return what became of them."""
    written: list[str] = []
    watching = True

    def watch(event: str, arguments: tuple[object, ...]) -> None:
        if watching and event == "open" and isinstance(arguments[2], int) and arguments[2] & os.O_ACCMODE:
            written.append(str(arguments[0]))

    files = list(mutated(count, seed))
    sys.addaudithook(watch)
    limits, ends, crashes, reasons = Limits(), Counter[str](), [], Counter[str]()
    slowest = 0.0
    started, used = time.perf_counter(), time.process_time()
    for name, data in files:
        begun = time.perf_counter()
        try:
            taken, refused = unfold([(name, data)], limits)
            for found in [*refused, *(read(one, limits) for one in taken)]:
                ends["read" if isinstance(found, Upload) else "refused"] += 1
                if not isinstance(found, Upload):
                    reasons[found.reason.split("(")[0].split(":")[0].strip()] += 1
        except Exception as error:
            crashes.append(f"{name!r}: {type(error).__name__}: {error}")
        slowest = max(slowest, time.perf_counter() - begun)
    watching = False
    return {
        "benchmark": "uploads",
        "uploads": count,
        "seed": seed,
        "images_read": ends["read"],
        "refused": ends["refused"],
        "crashes": len(crashes),
        "first_crashes": crashes[:5],
        "files_written": len(written),
        "seconds": time.perf_counter() - started,
        "cpu_seconds": time.process_time() - used,
        "slowest_upload_seconds": slowest,
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "reasons": dict(reasons.most_common()),
    }


def main() -> None:
    """Measure and print; exit code 1 on any crash or file written."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of the table")
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    # Decoders of damaged TIFF files write warnings to the terminal on their own.
    quiet = os.dup(2)
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
        figures = measure(options.count, options.seed)
        os.dup2(quiet, 2)
    if options.json:
        print(json.dumps(figures, indent=2))
    else:
        for name, value in figures.items():
            if not isinstance(value, dict | list):
                print(f"{name:>24}  {value:.2f}" if isinstance(value, float) else f"{name:>24}  {value}")
        for reason, times in figures["reasons"].items():  # type: ignore[attr-defined]
            print(f"{times:>24}  {reason}")
    sys.exit(1 if figures["crashes"] or figures["files_written"] else 0)


if __name__ == "__main__":
    main()
