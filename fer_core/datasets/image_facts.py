"""What is known of image files after decoding each once: size, mode, hash, and what is wrong with bad ones."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from fer_core.errors import DataError

from .base import Sample
from .file_records import file_records
from .images import decode, os_reason
from .pictures.look_alikes import look
from .pictures.parts import part_of, stored


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """What is known of an image file after decoding it once.

    Attributes:
        width, height: pixels of the upright image, as `load_rgb` returns it; 0 where unreadable.
        mode: Pillow's mode as stored ('RGB', 'P', 'I;16' ...); '' where unreadable.
        reason: why it can't be used, or None.
        sha256: of the file's bytes, hex; '' where they could not be read.
        dhash: its difference hash (`look_alikes`), hex; '' where unreadable.
    """

    width: int
    height: int
    mode: str
    reason: str | None
    sha256: str
    dhash: str = field(default="", compare=False)


def inspect(path: Path) -> ImageFacts:
    """Decode a file once and return what is known of it; never raises for a bad file."""
    try:
        data = stored(path)
    except DataError as error:
        return ImageFacts(0, 0, "", error.rule, "")
    except OSError as error:
        return ImageFacts(0, 0, "", os_reason(error), "")
    sha256 = hashlib.sha256(data).hexdigest()
    try:
        found = decode(path if part_of(path) else data)
    except DataError as error:
        return ImageFacts(0, 0, "", error.rule, sha256)
    height, width = found.pixels.shape[:2]
    return ImageFacts(width, height, found.mode, None, sha256, look(found.pixels))


def inspect_all(
    samples: Sequence[Sample],
    *,
    cache: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, ImageFacts]:
    """Inspect every sample's file, in threads (decoding releases the interpreter lock).

    Args:
        samples: the images; their names must differ.
        cache: a folder where facts are kept by size and time of each file; None keeps nothing.
        progress: called with (files done, files in all) in the calling thread.

    Returns:
        The facts by sample name, in the order of the samples.
    """
    records = file_records(
        samples,
        lambda path: asdict(inspect(path)),
        needs=("sha256", "dhash"),
        cache=cache,
        progress=progress,
    )
    names = ImageFacts.__slots__
    return {
        sample: ImageFacts(**{name: record[name] for name in names}) for sample, record in records.items()
    }
