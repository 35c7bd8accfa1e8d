"""Generated frames whose difficulty is known: why a face is lost, or which of several faces is the right one."""

import io
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageFilter

from fer_core.config.run import CLASSES
from fer_core.datasets.generated.face_model import draw_expression, draw_identity
from fer_core.datasets.generated.rendering import Actor, Pose, Scene, render
from fer_core.datasets.generated.scenery import draw_look

WIDTH, HEIGHT = 720, 576


@dataclass(frozen=True)
class Hard:
    """A frame, uint8 RGB (576, 720, 3), and the box of the face that is meant; None where there is no face."""

    image: np.ndarray
    box: tuple[float, float, float, float] | None


def lost(kind: str, rng: np.random.Generator) -> Hard:
    """Draw a frame of one of `CAUSES`; whether a detector loses its face is for it to show."""
    return CAUSES[kind](rng)


def several(kind: str, rng: np.random.Generator) -> Hard:
    """Draw a frame of one of `CHOICES`, with the box of the person it is about."""
    return CHOICES[kind](rng)


def _pose(rng: np.random.Generator, unit: float, x: float, y: float, yaw: float | None = None) -> Pose:
    """A head of 2 `unit` px width; x and y in shares of the frame; turned by about 7 degrees, or by `yaw`."""
    turn = np.deg2rad(rng.normal(0, (7.0, 4.0, 5.0)))
    yaw = float(turn[0]) if yaw is None else yaw
    return Pose(yaw, float(turn[1]), float(turn[2]), x * WIDTH, y * HEIGHT, unit)


def _actor(rng: np.random.Generator, pose: Pose, *, from_behind: bool = False) -> Actor:
    expression = draw_expression(rng, CLASSES[int(rng.integers(7))])
    return Actor(draw_identity(rng, slot=int(rng.integers(4))), expression, pose, from_behind)


def _draw(rng: np.random.Generator, *actors: Actor, meant: int | None = 0, **how: float | bool) -> Hard:
    """Render actors; `meant` is the one whose box is given."""
    look = draw_look(rng)
    look.letterbox = 0.0
    scene = Scene(look, actors, (float(rng.random()), float(rng.random())), **how)  # type: ignore[arg-type]
    image, places = render(scene, WIDTH, HEIGHT, rng)
    order = sorted(actors, key=lambda actor: actor.pose.unit, reverse=True)
    seen = [actor for actor in order if not actor.from_behind]
    if meant is None:
        return Hard(image, None)
    x1, y1, x2, y2 = places[[id(actor) for actor in seen].index(id(actors[meant]))][:4]
    return Hard(image, (x1, y1, x2, y2))


def _one(rng: np.random.Generator, yaw: float | None = None) -> Actor:
    pose = _pose(rng, rng.uniform(48, 105), rng.uniform(0.3, 0.7), rng.uniform(0.35, 0.5), yaw)
    return _actor(rng, pose)


def _dark(rng: np.random.Generator) -> Hard:
    return _draw(rng, _one(rng), gain=float(rng.uniform(0.02, 0.14)))


def _tinted(rng: np.random.Generator) -> Hard:
    """Coloured light lets one channel through and little of the others; then the broadcast's compression."""
    found = _draw(rng, _one(rng))
    light = rng.uniform(0.02, 0.14, 3)
    light[int(rng.integers(3))] = rng.uniform(0.2, 0.6)
    noisy = found.image * light + rng.normal(0, 2.0, found.image.shape)
    return Hard(_compressed(noisy), found.box)


def _compressed(values: np.ndarray) -> np.ndarray:
    stored = io.BytesIO()
    Image.fromarray(values.clip(0, 255).round().astype(np.uint8)).save(stored, "JPEG", quality=80)
    return np.array(Image.open(stored))


def _blurred(rng: np.random.Generator) -> Hard:
    actor = _one(rng)
    return _draw(rng, actor, blur=float(rng.uniform(0.12, 0.4) * actor.pose.unit))


def _small(rng: np.random.Generator) -> Hard:
    """A face of 7 to 12 px, below the smallest that is searched by default."""
    found = _draw(rng, _one(rng))
    x1, _, x2, _ = found.box or (0, 0, 1, 1)
    factor = rng.uniform(7, 12) / (x2 - x1)
    size = (round(WIDTH * factor), round(HEIGHT * factor))
    far = Image.fromarray(found.image).resize(size, Image.Resampling.LANCZOS)
    street = _draw(rng, meant=None).image
    left, top = int(rng.integers(0, WIDTH - size[0])), int(rng.integers(0, HEIGHT - size[1]))
    street[top : top + size[1], left : left + size[0]] = np.asarray(far)
    box = np.array(found.box) * factor + (left, top, left, top)
    return Hard(street, (box[0], box[1], box[2], box[3]))


def _turned(rng: np.random.Generator) -> Hard:
    return _draw(rng, _one(rng, yaw=float(np.deg2rad(rng.uniform(88, 112)) * rng.choice((-1, 1)))))


def _covered(rng: np.random.Generator) -> Hard:
    return _draw(rng, _one(rng), covered=True)


def _cut(rng: np.random.Generator) -> Hard:
    """A large face of which 25 to 50 % lies within the frame, past one of its sides."""
    found = _draw(rng, _one(rng))
    x1, y1, x2, y2 = found.box or (0, 0, 1, 1)
    share = rng.uniform(0.25, 0.5)
    side = ("left", "right", "top")[int(rng.integers(3))]
    left, top, right, bottom = 0.0, 0.0, float(WIDTH), float(HEIGHT)
    if side == "left":
        left = x2 - share * (x2 - x1)
    elif side == "right":
        right = x1 + share * (x2 - x1)
    else:
        top = y2 - share * (y2 - y1)
    part = found.image[round(top) : round(bottom), round(left) : round(right)]
    scale = np.sqrt(WIDTH * HEIGHT / (part.shape[0] * part.shape[1]))
    size = (round(part.shape[1] * scale), round(part.shape[0] * scale))
    whole = np.asarray(Image.fromarray(part).resize(size, Image.Resampling.BICUBIC))
    moved = (np.array(found.box) - (left, top, left, top)) * scale
    return Hard(whole, (moved[0], moved[1], moved[2], moved[3]))


def _nobody(rng: np.random.Generator) -> Hard:
    return _draw(rng, meant=None)


#: Why a face is lost -> what draws such a frame. 'turned' and 'covered' are one cause to the sentence.
CAUSES: dict[str, Callable[[np.random.Generator], Hard]] = {
    "dark": _dark,
    "tinted": _tinted,
    "blurred": _blurred,
    "small": _small,
    "turned": _turned,
    "covered": _covered,
    "cut": _cut,
    "nobody": _nobody,
}


def _two(rng: np.random.Generator) -> Hard:
    """Two people side by side; the meant one is 1.1 to 1.5 times as large."""
    unit = rng.uniform(55, 80)
    meant = _actor(rng, _pose(rng, unit, 0.3, 0.42))
    return _draw(rng, meant, _actor(rng, _pose(rng, unit / rng.uniform(1.1, 1.5), 0.72, 0.42)))


def _beside_cut(rng: np.random.Generator) -> Hard:
    """A whole face, and one 1.1 to 1.6 times as large that the border cuts to 30 to 60 % of its width."""
    unit = rng.uniform(48, 75)
    larger = unit * rng.uniform(1.1, 1.6)
    outside = (2 * rng.uniform(0.3, 0.6) - 1) * larger / WIDTH
    x = -outside if rng.random() < 0.5 else 1 + outside
    x = x if abs(x) > 0 else 0.0
    meant = _actor(rng, _pose(rng, unit, 0.5, 0.42))
    return _draw(rng, meant, _actor(rng, _pose(rng, larger, outside if x < 0.5 else 1 - outside, 0.42)))


def _poster(rng: np.random.Generator) -> Hard:
    """A person, and a poster behind with a face of 0.6 to 1.2 times the size."""
    unit = rng.uniform(50, 80)
    found = _draw(rng, _actor(rng, _pose(rng, unit, 0.33, 0.42)))
    print_ = _draw(rng, _actor(rng, _pose(rng, 60, 0.5, 0.42)))
    x1, y1, x2, y2 = (round(v) for v in print_.box or (0, 0, 1, 1))
    grown = 30
    sheet = print_.image[max(0, y1 - grown) : y2 + grown, max(0, x1 - grown) : x2 + grown]
    side = 2 * unit * rng.uniform(0.6, 1.2)
    scale = side / (x2 - x1)
    size = (round(sheet.shape[1] * scale), round(sheet.shape[0] * scale))
    paper = Image.fromarray(sheet).resize(size, Image.Resampling.LANCZOS).filter(ImageFilter.GaussianBlur(1))
    left = min(round(0.74 * WIDTH - size[0] / 2), WIDTH - size[0])
    top = max(0, round(0.35 * HEIGHT - size[1] / 2))
    image = Image.fromarray(found.image)
    image.paste(paper, (left, top))
    return Hard(np.asarray(image), found.box)


def _crowd(rng: np.random.Generator) -> Hard:
    """A person, and five people behind at 0.3 to 0.6 times the size."""
    unit = rng.uniform(60, 85)
    places = rng.permutation((0.1, 0.22, 0.68, 0.8, 0.92))
    behind = [
        _actor(rng, _pose(rng, unit * rng.uniform(0.3, 0.6), x, rng.uniform(0.25, 0.4))) for x in places
    ]
    return _draw(rng, _actor(rng, _pose(rng, unit, 0.45, 0.45)), *behind)


#: Where the choice is hard -> what draws such a frame.
CHOICES: dict[str, Callable[[np.random.Generator], Hard]] = {
    "two people": _two,
    "a larger face cut by the border": _beside_cut,
    "a poster": _poster,
    "a crowd behind": _crowd,
}
