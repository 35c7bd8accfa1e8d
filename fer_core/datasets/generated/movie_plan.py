"""How a generated set is laid out: its config, and the movie, person and clip of each frame."""

import hashlib
import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np
from pydantic import Field

from fer_core.config.run import CLASSES, Config, DataConfig
from fer_core.datasets.base import GENERATED_MOVIE
from fer_core.datasets.readers.generated import MANIFEST, MARK

VERSION: Final = 2  # raise when any pixel or name that a config leads to changes
HARD_KINDS: Final = ("hard-dark", "hard-blur", "hard-profile", "hard-covered", "hard-nobody", "hard-two")

_WORDS = (
    *("Harbour", "Orchard", "Lantern", "Glacier", "Meridian", "Foundry", "Saltmarsh", "Carousel", "Viaduct"),
    *("Thistle", "Observatory", "Marigold", "Quarry", "Ferryman", "Atlas", "Cinder", "Monsoon", "Paperboat"),
    *("Sundial", "Turnstile"),
)
MOVIES: Final = tuple(f"{GENERATED_MOVIE}{word}{part}" for part in ("", "Returns") for word in _WORDS)


class GeneratedConfig(Config):
    """What is generated.

    Attributes:
        seed: of every random stream.
        ordinary: frames with one face that a detector should find, spread evenly over the seven classes.
        hard: frames made to defeat a detector, of six kinds in turn.
        movies: how many movies (groups) the frames come from, 2 to 40.
        width, height: frame size in pixels.
    """

    seed: int = Field(0, ge=0)
    ordinary: int = Field(420, ge=len(CLASSES))
    hard: int = Field(60, ge=0)
    movies: int = Field(20, ge=2, le=len(MOVIES))
    width: int = Field(720, ge=120)
    height: int = Field(576, ge=120)

    def key(self) -> str:
        """The data set's identity: 16 hex digits over the config and the drawing's version."""
        text = json.dumps({"step": "generated", "version": VERSION, **self.model_dump()}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def demo_folder(root: Path) -> Path:
    """Return where the generated set of the default config lies below the settings' `demo_data`."""
    return root / f"generated-{GeneratedConfig().key()}"


def planned() -> DataConfig:
    """Return the identity of the generated set while it isn't drawn: a run on it draws it first."""
    config = GeneratedConfig()
    images = config.ordinary + config.hard
    return DataConfig(fingerprint=config.key(), name="Generated faces", images=images, generated=True)


def intact(config: GeneratedConfig, folder: Path) -> bool:
    """Return whether a folder holds all frames of a generated set."""
    label = folder / MARK
    if not label.exists() or not (folder / MANIFEST).exists():
        return False
    if f"key: {config.key()}\n" not in label.read_text(encoding="utf-8"):
        return False
    return all((folder / shot.path).exists() for shot in plan(config))


@dataclass(frozen=True)
class Shot:
    """One frame as planned: which class, movie, person and clip, and its place in the clip."""

    label: str
    kind: str
    movie: int
    slot: int
    clip: int
    place: int
    stamp: str
    number: int

    @property
    def clip_name(self) -> str:
        return f"{MOVIES[self.movie]}_{self.stamp}"

    @property
    def path(self) -> str:
        return f"{self.label}/{self.clip_name}_{self.number:08d}.png"


@lru_cache(maxsize=8)
def plan(config: GeneratedConfig) -> tuple[Shot, ...]:
    """All frames in order, the ordinary ones first.

    Each class has its favourite movies and each movie its favourite classes, as in SFEW, so that a model
    which knows the movie's light and cast already guesses the class.
    """
    rng = np.random.default_rng([config.seed, 0])
    taste = rng.gamma(0.7, size=(len(CLASSES), config.movies)) + 0.02
    load = np.zeros(config.movies)
    casts = [int(rng.integers(2, 5)) for _ in range(config.movies)]
    stamps = [iter(rng.permutation(5400)) for _ in range(config.movies)]
    shots: list[Shot] = []
    clip = 0
    for c, label in enumerate(CLASSES):
        wanted = config.ordinary // len(CLASSES) + (c < config.ordinary % len(CLASSES))
        sizes = _clip_sizes(rng, wanted)
        visited: list[int] = []
        for size in sizes:
            weight = taste[c] / (1 + load / max(1.0, load.mean() + 1))
            if len(visited) < min(len(sizes), (config.movies + 2) // 3):
                weight = np.where(np.isin(np.arange(config.movies), visited), 0, weight)
            movie = int(rng.choice(config.movies, p=weight / weight.sum()))
            visited = sorted({*visited, movie})
            load[movie] += size
            slot, stamp, number = int(rng.integers(casts[movie])), _stamp(next(stamps[movie]), rng), 0
            for place in range(size):
                number += int(rng.integers(3, 9))
                shots.append(Shot(label, "ordinary", movie, slot, clip, place, stamp, number))
            clip += 1
    for i in range(config.hard):
        movie = int(rng.integers(config.movies))
        slot, stamp = int(rng.integers(casts[movie])), _stamp(next(stamps[movie]), rng)
        label, kind = CLASSES[i % len(CLASSES)], HARD_KINDS[i % len(HARD_KINDS)]
        shots.append(Shot(label, kind, movie, slot, clip, 0, stamp, int(rng.integers(3, 60))))
        clip += 1
    return tuple(shots)


def _clip_sizes(rng: np.random.Generator, frames: int) -> list[int]:
    """`frames` cut into clips of two to four; a lone frame only where there is but one."""
    sizes: list[int] = []
    while frames:
        size = frames if frames <= 4 else int(rng.integers(2, min(4, frames - 2) + 1))
        sizes.append(size)
        frames -= size
    return sizes


def _stamp(second: int, rng: np.random.Generator) -> str:
    """SFEW's HHMMSScc0: hours, minutes, seconds, hundredths and a zero."""
    hours, rest = divmod(int(second), 3600)
    return f"{hours:02d}{rest // 60:02d}{rest % 60:02d}{int(rng.integers(100)):02d}0"
