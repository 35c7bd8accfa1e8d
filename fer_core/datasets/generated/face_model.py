"""Who a generated person is and what the face does: identities, action units, facial proportions.

Lengths are in half face widths, measured from the point between the eyes, y downwards. Colours are sRGB
in [0, 1]. Nothing here is measured on real people: the figures are a draughtsman's proportions.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Final

import numpy as np

ACTION_UNITS: Final = (1, 2, 4, 5, 6, 7, 9, 10, 12, 15, 16, 20, 23, 25, 26)

# Prototypes after Ekman and Friesen's emotion table (FACS, 1978), thinned to the units drawn here.
EXPRESSIONS: Final[dict[str, dict[int, float]]] = {
    "angry": {4: 1.0, 5: 0.35, 7: 0.8, 23: 1.0},
    "disgust": {4: 0.45, 7: 0.6, 9: 1.0, 10: 0.95, 15: 0.45, 16: 0.5, 25: 0.4},
    "fear": {1: 0.95, 2: 0.5, 4: 0.5, 5: 1.0, 20: 1.0, 25: 0.6, 26: 0.35},
    "happy": {6: 0.8, 12: 1.0, 25: 0.7},
    "neutral": {},
    "sad": {1: 0.95, 4: 0.45, 7: 0.15, 15: 1.0},
    "surprise": {1: 0.9, 2: 1.0, 5: 0.75, 25: 0.6, 26: 1.0},
}

BEARDS: Final = ("none", "stubble", "moustache", "goatee", "full")

_SKIN = (
    (0.89, 0.73, 0.65),
    (0.87, 0.69, 0.58),
    (0.86, 0.69, 0.55),
    (0.82, 0.63, 0.49),
    (0.74, 0.54, 0.40),
    (0.62, 0.43, 0.31),
    (0.49, 0.33, 0.24),
    (0.38, 0.25, 0.18),
)
_HAIR = {
    "black": (0.09, 0.08, 0.08),
    "dark brown": (0.20, 0.13, 0.09),
    "brown": (0.34, 0.22, 0.14),
    "auburn": (0.45, 0.20, 0.10),
    "blond": (0.72, 0.56, 0.34),
    "ginger": (0.66, 0.34, 0.14),
    "grey": (0.52, 0.51, 0.50),
    "white": (0.82, 0.81, 0.79),
}
# How often each style is met; how often a bald head is follows from the age.
_MALE_HAIR = {"bald": 0.0, "buzz": 0.9, "short": 1.2, "quiff": 0.9, "swept": 0.8, "cap": 0.45, "curly": 0.4}
_MALE_HAIR |= {"long": 0.25}
_FEMALE_HAIR = {"bob": 1.1, "long": 1.3, "curly": 0.9, "tied": 0.9, "short": 0.35, "swept": 0.4, "cap": 0.2}
_IRIS = ((0.25, 0.15, 0.08), (0.35, 0.23, 0.12), (0.30, 0.45, 0.60), (0.33, 0.42, 0.28), (0.42, 0.46, 0.50))
_CLOTH = ((0.16, 0.19, 0.27), (0.55, 0.16, 0.14), (0.75, 0.72, 0.66), (0.23, 0.32, 0.24), (0.30, 0.24, 0.20))
_CLOTH_MORE = ((0.62, 0.55, 0.30), (0.35, 0.42, 0.55), (0.12, 0.12, 0.13), (0.52, 0.36, 0.46))


class Identity(SimpleNamespace):
    """What stays the same about a person from frame to frame: what `draw_identity` draws, colours (3,) float64."""


def draw_identity(rng: np.random.Generator, *, slot: int = 0) -> Identity:
    """One person at random; `slot` alternates the build so that a movie's cast differs."""
    male = bool((slot + int(rng.integers(2))) % 2)
    age = float(np.clip(rng.beta(1.3, 1.7), 0, 1))  # 0 is twenty or so, 1 seventy or so
    tone = int(rng.integers(len(_SKIN)))
    skin = _jitter(rng, _SKIN[tone], 0.025)
    dark = tone >= 4
    hair_name = _hair_colour(rng, age, dark)
    styles = _MALE_HAIR | {"bald": 0.1 + 0.25 * age} if male else _FEMALE_HAIR
    weights = np.array(list(styles.values()))
    style = list(styles)[int(rng.choice(len(styles), p=weights / weights.sum()))]
    beard = str(rng.choice(BEARDS, p=(0.4, 0.22, 0.1, 0.12, 0.16))) if male else "none"
    lip_tone = skin * (0.88, 0.66, 0.66)
    make_up = 0.0 if male else float(rng.choice((0.0, 0.4, 1.0)))
    lip = (1 - 0.5 * make_up) * lip_tone + 0.5 * make_up * np.array((0.66, 0.16, 0.20))
    cloths = _CLOTH + _CLOTH_MORE

    def between(low: float, high: float) -> float:
        return float(rng.uniform(low, high))

    return Identity(
        skin=skin,
        age=age,
        width=between(0.90, 1.05) + (0.02 if male else -0.02),
        chin=between(1.40, 1.58) + (0.07 if male else 0.0),
        jaw=between(2.6, 3.7) if male else between(2.2, 3.1),
        taper=between(0.55, 0.68) if male else between(0.60, 0.74),
        crown=between(1.34, 1.50),
        nose_length=between(0.50, 0.63),
        nose_width=between(0.80, 1.15) * (1.12 if dark else 1.0),
        nose_height=between(0.25, 0.36),
        eye_gap=between(0.40, 0.475),
        eye_width=between(0.185, 0.225),
        eye_height=between(0.080, 0.110) * (0.92 if male else 1.08),
        eye_tilt=between(-0.10, 0.14),
        iris=_jitter(rng, _IRIS[0] if dark and rng.random() < 0.85 else _IRIS[int(rng.integers(5))], 0.03),
        brow_height=between(0.25, 0.32) - (0.03 if male else 0.0),
        brow_thickness=between(0.046, 0.066) if male else between(0.026, 0.042),
        brow_arch=between(0.01, 0.05) if male else between(0.03, 0.08),
        mouth_y=between(0.94, 1.02),
        mouth_width=between(0.32, 0.40),
        upper_lip=between(0.040, 0.065) * (1.25 if dark else 1.0) * (1 - 0.35 * age),
        lower_lip=between(0.065, 0.095) * (1.2 if dark else 1.0) * (1 - 0.25 * age),
        lip=lip,
        hair_style=style,
        hair=_jitter(rng, _HAIR[hair_name], 0.02),
        hairline=between(-0.98, -0.80) - (0.12 * age if male else 0.0),
        parting=between(-1, 1),
        hair_length=between(1.35, 2.4) if style == "long" else between(0.75, 1.15),
        beard=beard,
        glasses=str(rng.choice(("none", "round", "square"), p=(0.78, 0.11, 0.11))),
        freckles=between(0.3, 1.0) if tone < 3 and rng.random() < 0.3 else 0.0,
        make_up=make_up,
        blush=between(0.2, 1.0),
        neck=between(0.56, 0.66) if male else between(0.44, 0.54),
        cloth=_jitter(rng, cloths[int(rng.integers(len(cloths)))], 0.04),
        neckline=str(rng.choice(("crew", "vee", "jacket", "high"))),
        texture_seed=int(rng.integers(2**31)),
    )


@dataclass(frozen=True)
class Expression:
    """Action-unit intensities in [0, 1] and how they differ between the two sides of the face."""

    units: dict[int, float]
    skew: dict[int, float]  # the image-left side gets intensity * (1 + skew), the right (1 - skew)
    gaze: tuple[float, float] = (0.0, 0.0)

    def __call__(self, unit: int, side: int = 0) -> float:
        """The intensity on one side of the image (-1 left, 1 right) or on average (0)."""
        return min(1.25, self.units.get(unit, 0.0) * (1.0 - side * self.skew.get(unit, 0.0)))

    def nudged(self, rng: np.random.Generator) -> Expression:
        """The same expression a few frames later."""
        units = {
            unit: float(np.clip(value * (1 + rng.normal(0, 0.04)), 0, 1))
            for unit, value in self.units.items()
        }
        return Expression(units, self.skew, (self.gaze[0] + rng.normal(0, 0.004), self.gaze[1]))


def draw_expression(rng: np.random.Generator, label: str) -> Expression:
    """A class's action units: weight * intensity * U(.7, 1.2), some lost, some stray, skewed a little."""
    intensity = rng.uniform(0.7, 1.0)
    units, skew = {}, {}
    for unit in ACTION_UNITS:
        value = EXPRESSIONS[label].get(unit, 0.0) * intensity * rng.uniform(0.7, 1.2)
        if rng.random() < 0.08:
            value = 0.0
        if rng.random() < 0.25:
            value += rng.uniform(0, 0.16)
        units[unit] = float(np.clip(value, 0, 1))
        skew[unit] = float(np.clip(rng.normal(0, 0.12), -0.4, 0.4))
    return Expression(units, skew, (float(rng.normal(0, 0.022)), float(rng.normal(0, 0.008))))


class Mouth(SimpleNamespace):
    """A mouth's curves, see `mouth_of`. `u` is x over the half width, in [-1, 1]."""

    def line(self, x: np.ndarray) -> np.ndarray:
        """Where the lips would meet."""
        u = x / self.half
        corner = np.where(u < 0, np.float32(self.corner[0]), np.float32(self.corner[1]))
        return self.y + corner * np.minimum(u * u, 1.6)


def mouth_of(who: Identity, face: Expression) -> Mouth:
    """The mouth's curves under an expression."""
    half = who.mouth_width + 0.09 * face(12) + 0.11 * face(20) - 0.05 * face(23) - 0.04 * face(26)
    corners = [-0.16 * face(12, side) + 0.15 * face(15, side) + 0.05 * face(20, side) for side in (-1, 1)]
    opening = 0.07 * face(25) + 0.26 * face(26)
    thin = (1 - 0.65 * face(23)) * (1 - 0.3 * face(20)) * (1 - 0.25 * face(12))
    return Mouth(
        y=who.mouth_y + 0.04 * face(12) - 0.03 * face(10) + 0.02 * face(26),
        half=half,
        corner=corners,  # how far each hangs below the middle, image-left and image-right
        # How far the upper lip's edge lifts off the line between the corners, and the lower one's.
        up=0.3 * opening + 0.075 * face(10) + 0.01 * face(12),
        down=0.7 * opening + 0.06 * face(16) + 0.02 * face(20),
        upper=who.upper_lip * thin * (1 - 0.2 * face(10)),
        lower=who.lower_lip * thin,
        # The opening's shape: 2 an ellipse, 4 nearly a rectangle.
        square=2.0 + 2.2 * face(20) + 1.2 * face(10),
    )


def brow_of(who: Identity, face: Expression, side: int) -> np.ndarray:
    """The brow as three points (x outwards from the midline, y), inner to outer, shape (3, 2)."""
    lift = -0.15 * face(1, side)
    pinch = face(4, side)
    low = 0.05 * face(9, side)
    base = -who.brow_height
    inner = (who.eye_gap - 0.27 - 0.07 * pinch, base + 0.03 + lift + 0.13 * pinch + low)
    middle = (
        who.eye_gap + 0.02,
        base - who.brow_arch + 0.35 * lift - 0.13 * face(2, side) + 0.10 * pinch + low,
    )
    outer = (who.eye_gap + 0.31, base + 0.05 - 0.14 * face(2, side) + 0.03 * pinch + 0.02 * face(6, side))
    return np.array((inner, middle, outer), np.float32)


def lids_of(who: Identity, face: Expression, side: int) -> tuple[float, float]:
    """How far the upper and lower lid stand from the eye's axis."""
    upper = (
        who.eye_height * (1 + 0.62 * face(5, side)) * (1 - 0.38 * face(7, side)) * (1 - 0.25 * face(6, side))
    )
    upper *= (1 - 0.25 * face(9, side)) * (1 - 0.12 * who.age)
    lower = (
        0.62
        * who.eye_height
        * (1 - 0.5 * face(7, side))
        * (1 - 0.55 * face(6, side))
        * (1 - 0.4 * face(9, side))
    )
    return upper, lower


def _hair_colour(rng: np.random.Generator, age: float, dark: bool) -> str:
    if age > 0.62 and rng.random() < 0.75:
        return str(rng.choice(("grey", "white")))
    if dark:
        return str(rng.choice(("black", "dark brown"), p=(0.75, 0.25)))
    names = ("black", "dark brown", "brown", "auburn", "blond", "ginger")
    return str(rng.choice(names, p=(0.16, 0.24, 0.22, 0.1, 0.2, 0.08)))


def _jitter(rng: np.random.Generator, colour: tuple[float, float, float], amount: float) -> np.ndarray:
    varied = np.array(colour) * (1 + rng.normal(0, amount * 2)) + rng.normal(0, amount, 3) * 0.5
    return np.clip(varied, 0.03, 0.96)
