"""The surfaces a generated head is made of: skull, face relief and hair, as depth over angle and height.

A surface is a grid of rows (height y) and columns (angle phi around the vertical axis, 0 facing the
camera). Each grid point has a place (x, y, z) in half face widths, z towards the camera.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter

from .face_model import Expression, Identity, brow_of, lids_of, mouth_of

F: Any = np.float32  # numpy's stubs keep every float width apart


@dataclass
class Surface:
    """A grid of points with colours.

    Attributes:
        phi: angle of each column in radians, shape (W,).
        y: height of each row, shape (H, 1).
        x, z: places of the grid points, shape (H, W).
        colour: albedo, sRGB in [0, 1], shape (3, H, W).
        cover: opacity in [0, 1], shape (H, W).
        gloss: strength of the highlight, shape (H, W).
        texel: the grid's spacing in half face widths.
    """

    phi: np.ndarray
    y: np.ndarray
    x: np.ndarray
    z: np.ndarray
    texel: float
    colour: np.ndarray
    cover: np.ndarray
    gloss: np.ndarray

    @classmethod
    def bare(cls, phi: np.ndarray, y: np.ndarray, x: np.ndarray, z: np.ndarray, texel: float) -> Surface:
        """Return a surface that is black, opaque and dull."""
        return cls(phi, y, x, z, texel, np.zeros((3, *x.shape), F), np.ones(x.shape, F), np.zeros(x.shape, F))

    def patch(self, x0: float, x1: float, y0: float, y1: float) -> Surface:
        """Return the part of the face's front between two places: what is drawn on it is drawn on the whole."""
        middle = int(np.argmin(np.abs(self.y[:, 0])))
        inside = np.flatnonzero((self.x[middle] >= x0) & (self.x[middle] <= x1) & (np.abs(self.phi) < 1.6))
        within = np.flatnonzero((self.y[:, 0] >= y0) & (self.y[:, 0] <= y1))
        columns = slice(int(inside[0]), int(inside[-1]) + 1)
        at = (slice(int(within[0]), int(within[-1]) + 1), columns)
        views = (self.colour[:, at[0], columns], self.cover[at], self.gloss[at])
        return Surface(self.phi[columns], self.y[at[0]], self.x[at], self.z[at], self.texel, *views)

    def band(self, low: float, high: float) -> slice:
        """Return the rows between two heights."""
        first, last = np.searchsorted(self.y[:, 0], (low, high))
        return slice(int(first), int(last))

    def lift(self, amount: float, cx: float, cy: float, sx: float, sy: float) -> None:
        """Add a Gaussian bump to the depth, in the rows where it shows."""
        rows = self.band(cy - 2.8 * sy, cy + 2.8 * sy)
        self.z[rows] += F(amount) * bump(self.x[rows], self.y[rows], cx, cy, sx, sy)

    def paint(self, mask: np.ndarray, colour: tuple[float, float, float] | np.ndarray) -> None:
        """Lay one colour over the whole grid, `mask` being its opacity."""
        tone = np.asarray(colour, F)
        self.colour += mask * (tone[:, None, None] - self.colour)


def step(value: np.ndarray, width: float) -> np.ndarray:
    """A smooth step from 0 to 1 centred on 0 and `width` wide."""
    t = np.clip(value * F(1 / width) + F(0.5), 0, 1)
    return t * t * (F(3) - F(2) * t)


def bump(x: np.ndarray, y: np.ndarray, cx: float, cy: float, sx: float, sy: float) -> np.ndarray:
    """A Gaussian bump of height 1."""
    u, v = (x - F(cx)) * F(1 / sx), (y - F(cy)) * F(1 / sy)
    return np.exp(-(u * u + v * v))


def ridge(value: np.ndarray, width: float) -> np.ndarray:
    """A Gaussian ridge of height 1 along the places where `value` is 0."""
    return np.exp(-((value / F(width)) ** 2))


def noise(rng: np.random.Generator, shape: tuple[int, int], cells: tuple[int, int]) -> np.ndarray:
    """Smooth noise of unit deviation: a coarse random grid of `cells` enlarged to `shape`."""
    coarse = Image.fromarray(rng.standard_normal(cells, dtype=F))
    return np.asarray(coarse.resize((shape[1], shape[0]), Image.Resampling.BICUBIC))


def head_surface(
    who: Identity, face: Expression, texel: float, reach: float, *, from_behind: bool = False
) -> Surface:
    """Skull and face relief without colour.

    Args:
        texel: grid spacing in half face widths.
        reach: the largest |phi|, radians.
        from_behind: the back of the head, with no relief, in the place of the face.
    """
    chin = who.chin + 0.16 * face(26)
    y = np.arange(-who.crown, chin + texel, texel, dtype=F)[:, None]
    phi = np.arange(-reach, reach, texel, dtype=F)
    below, above = np.clip(y / F(chin), 0, 1), np.clip(-y / F(who.crown), 0, 1)
    half = F(who.width) * (1 - below**who.jaw) ** F(who.taper) * np.sqrt(1 - above**2.9)
    half *= 1 + F(0.035) * ridge(y - 0.28, 0.3) - F(0.03) * ridge(y + 0.42, 0.25)
    centre = F(-0.1) + F(0.45) * below**1.5
    depth = (F(0.95) - F(0.45) * below**1.5) * np.sqrt(1 - below**7) * np.sqrt(1 - above**2.6)
    sine, cosine = np.sin(phi), np.cos(phi)
    x = (half * sine).astype(F)
    z = (centre + depth * np.sign(cosine) * np.abs(cosine) ** 0.9).astype(F)
    surface = Surface.bare(phi, y, x, z, texel)
    if not from_behind:
        _relieve(surface.patch(-1.2, 1.2, -1.3, 2.0), who, face, chin)
    tall = np.exp(-(((y - F(0.13)) / F(0.27)) ** 4)) * (F(1) - F(0.35) * np.clip((y - F(0.1)) / F(0.3), 0, 1))
    ear = tall * np.exp(-(((np.abs(phi) - F(1.66)) / F(0.17)) ** 4))
    hollow = bump(np.abs(phi), y, 1.60, 0.10, 0.07, 0.13)
    surface.x += np.sign(phi) * (F(0.12) * ear - F(0.05) * hollow)
    return surface


def _relieve(skin: Surface, who: Identity, face: Expression, chin: float) -> None:
    """Raise nose, brow, cheeks and lips, and cut the folds that age and action units bring."""
    tip, age, mouth = who.nose_length - 0.03 * face(9), who.age, mouth_of(who, face)
    band = skin.band(-0.4, tip + 0.3)
    nx, ny = skin.x[band], skin.y[band]
    rise = np.clip((ny + 0.12) / F(tip + 0.12), 0, 1)
    under = step(F(tip + 0.085) - F(1.6) * nx * nx - ny, 0.19)
    bridge = (F(0.06) + F(who.nose_height - 0.09) * rise * np.sqrt(rise)) * step(ny + 0.22, 0.3)
    thin = nx / (F(0.085) + F(0.045 * who.nose_width) * rise)
    skin.z[band] += bridge * under * np.exp(-thin * thin)
    skin.lift(0.045, 0, tip - 0.005, 0.095, 0.085)
    for side in (-1, 1):
        flare = 0.135 * who.nose_width + 0.02 * face(9)
        skin.lift(0.12, side * flare, tip + 0.015 - 0.05 * face(9, side), 0.065, 0.06)
        skin.lift(-0.16, side * who.eye_gap, -0.03, 0.25, 0.15)
        skin.lift(0.075, side * who.eye_gap, 0.0, 0.17, 0.11)
        brow = brow_of(who, face, side)
        skin.lift(0.055, side * brow[1, 0], brow[1, 1] + 0.03, 0.30, 0.085)
        skin.lift(0.05 + 0.06 * face(6, side), side * 0.52, 0.36 - 0.07 * face(12, side), 0.2, 0.17)
        skin.lift(-(0.02 + 0.03 * age), side * 0.58, 0.78, 0.16, 0.22)
        hang = 0.035 * (face(15, side) + 0.7 * face(20, side))
        skin.lift(-hang, side * (mouth.half + 0.05), mouth.y + 0.14, 0.06, 0.1)
        _fold_cheek(skin, who, face, side)
        _crease_eye(skin, who, face, side)
    skin.lift(0.06, 0, who.mouth_y - 0.04, 0.34, 0.24)
    skin.lift(-0.02, 0, who.mouth_y - 0.17, 0.035, 0.07)
    skin.lift(0.08, 0, chin - 0.24, 0.22, 0.14)
    skin.lift(-0.05, 0, mouth.y + mouth.down + mouth.lower + 0.08, 0.22, 0.06)
    _crease_forehead(skin, who, face)


def _crease_eye(skin: Surface, who: Identity, face: Expression, side: int) -> None:
    """Crow's feet and the pouch below the lower lid."""
    band = skin.band(-0.25, 0.45)
    bx, by = side * skin.x[band], skin.y[band]
    crow = 0.010 * who.age + 0.024 * face(6, side)
    ux = bx - F(who.eye_gap + who.eye_width + 0.07)
    window = F(crow) * ridge(ux - F(0.06), 0.07)
    for slope in (-0.55, 0.0, 0.5):
        skin.z[band] -= window * ridge(by - F(slope) * ux, 0.018)
    bag = lids_of(who, face, side)[1] + 0.075 + 0.02 * who.age
    pouch = by - F(bag) + F(0.5) * (bx - F(who.eye_gap)) ** 2
    depth = 0.012 + 0.022 * who.age + 0.015 * face(6)
    spread = bump(bx, by, who.eye_gap, bag, 0.17, 0.2)
    skin.z[band] -= F(depth) * ridge(pouch, 0.028) * spread


def _crease_forehead(skin: Surface, who: Identity, face: Expression) -> None:
    """Lines across a raised forehead, between knitted brows and over a wrinkled nose."""
    band = skin.band(-0.85, -0.35)
    bx, by = skin.x[band], skin.y[band]
    raised = 0.006 * who.age + 0.018 * (0.6 * face(1) + 0.6 * face(2))
    spread = F(0.55 - 0.2 * max(0.0, face(1) - face(2)))
    window = F(raised) * np.exp(-(((bx / spread) ** 2) ** 2))
    bend = F(0.012) * np.sin(F(9) * bx) - F(0.10) * bx * bx
    for k in range(3):
        skin.z[band] -= window * ridge(by + F(0.50 + 0.115 * k) + bend, 0.02)
    frown = 0.004 * who.age + 0.032 * face(4)
    band = skin.band(-who.brow_height - 0.3, -who.brow_height + 0.4)
    bx, by = skin.x[band], skin.y[band]
    for side in (-1, 1):
        skin.z[band] -= F(frown) * bump(
            bx - F(side * 0.10) * by, by, side * 0.085, -who.brow_height + 0.03, 0.02, 0.12
        )
        skin.lift(0.02 * face(4), side * 0.16, -who.brow_height + 0.06, 0.05, 0.09)
    band = skin.band(-0.15, 0.3)
    bx, by = skin.x[band], skin.y[band]
    window = F(0.024 * face(9)) * np.exp(-(((bx / F(0.15)) ** 2) ** 2))
    for k in range(3):
        skin.z[band] -= window * ridge(by - F(0.02 + 0.075 * k) + F(0.35) * np.abs(bx), 0.018)


def _fold_cheek(skin: Surface, who: Identity, face: Expression, side: int) -> None:
    """The fold from the nose's wing to beyond the mouth's corner."""
    mouth = mouth_of(who, face)
    top, bottom = who.nose_length - 0.04, mouth.y + 0.02
    band = skin.band(top - 0.06, bottom + 0.09)
    bx, by = side * skin.x[band], skin.y[band]
    along = np.clip((by - F(top)) / F(bottom - top), 0, 1)
    reach = mouth.half + 0.06 - 0.04 * face(10, side)
    off = bx - F(0.19 + 0.03 * face(9, side)) - F(reach - 0.19) * along ** F(0.75 + 0.5 * face(10, side))
    depth = 0.005 + 0.016 * who.age + 0.028 * face(12, side) + 0.030 * face(10, side) + 0.010 * face(9, side)
    window = F(depth) * step(by - F(top), 0.1) * step(F(bottom) - by, 0.16)
    skin.z[band] -= window * ridge(off, 0.032)
    skin.z[band] += F(0.6) * window * ridge(off - F(0.09), 0.07)


def hair_surface(who: Identity, texel: float, reach: float, *, from_behind: bool = False) -> Surface | None:
    """The hair (or cap) as a shell around the skull with its colour and cover; None for a bald head."""
    style = who.hair_style
    if style == "bald" and not from_behind:
        return None
    rng = np.random.default_rng([who.texture_seed, 1])
    thick, top, length = _VOLUME.get(style, _VOLUME["short"])
    if style in ("bob", "long"):
        length = who.hair_length
    crown = who.crown + top
    y = np.arange(-crown, length + 0.12, texel, dtype=F)[:, None]
    phi = np.arange(-reach, reach, texel, dtype=F)
    shape = (y.shape[0], phi.shape[0])
    above = np.clip(-y / F(crown), 0, 1)
    below = np.clip(y / F(max(length, 0.1)), 0, 1)
    tuck = 1 - F(0.10 if style in ("long", "bob") else 0.2) * below**3
    if style == "long":  # waves that widen towards the shoulders
        tuck = tuck + below * (F(0.14) + F(0.05) * np.sin(F(2.6) * y + F(6 * who.parting)))
    half = F(who.width + thick) * np.sqrt(1 - above ** F(2.8)) * tuck
    strands, clumps = _strands(rng, shape, style)
    ripple = F({"curly": 0.042, "cap": 0.0, "buzz": 0.003, "quiff": 0.03}.get(style, 0.018))
    radius = 1 + ripple * clumps
    if style == "quiff":
        radius = radius + F(0.10) * bump(phi[None, :], y, 0.25 * who.parting, -crown + 0.45, 0.7, 0.35)
    x = (half * np.sin(phi)) * radius
    z = (F(-0.12) + F(0.97 + thick) * np.sqrt(1 - above ** F(2.8)) * np.cos(phi)) * radius
    z += F(0.010 if style != "buzz" else 0.002) * strands
    surface = Surface.bare(phi, y, x.astype(F), z.astype(F), texel)
    edge = np.full_like(phi, F(9)) if from_behind else _hair_edge(who, phi)
    combed_back = style in ("buzz", "tied", "quiff") or (style == "short" and who.parting > -0.2)
    jag = F(0.0 if style == "cap" else 0.018 if combed_back else 0.045)
    soft = 0.02 if style == "cap" else 0.13 if combed_back else 0.06
    fringe = edge[None, :] + jag * strands + jag * clumps
    end = F(length) + F(0.05) * clumps + F(0.03) * strands
    surface.cover = step(fringe - y, soft) * step(end - y, 0.06)
    if style == "buzz":
        surface.cover = surface.cover * np.clip(F(0.8) + F(0.12) * strands, 0, 1)
    tone = np.array(_WOOL[who.texture_seed % len(_WOOL)] if style == "cap" else who.hair, F)
    shade = F(1) + (F(0.10) * strands if style == "cap" else F(0.17) * strands + F(0.10) * clumps)
    roots = F(1) - F(0.0 if style == "cap" else 0.28) * ridge(fringe - y, 0.16)
    surface.colour = np.clip(tone[:, None, None] * (shade * roots)[None], 0.01, 1).astype(F)
    if style == "cap":
        band = step(F(0.2) - np.abs(y - edge[None, :] + F(0.14)), 0.03)
        surface.colour *= 1 - F(0.18) * band
    if style in ("bob", "long", "tied") and who.parting <= 0.35:
        apart = (phi - F(0.4 * who.parting)) / F(0.035)
        bare = (
            np.exp(-(apart * apart))[None, :]
            * step(F(-0.75) - y, 0.3)
            * step(y + F(crown - 0.2), 0.2)
            * F(0.55)
        )
        surface.colour += bare * (np.array(who.skin, F)[:, None, None] * F(0.8) - surface.colour)
    surface.gloss = np.clip(F(0.30) + F(0.35) * strands, 0, 1.2) * F(
        0.02 if style in ("cap", "buzz") else 0.5
    )
    return surface


# style: thickness at the sides, above the crown, and how far down the shell hangs
_VOLUME = {
    "buzz": (0.015, 0.03, 0.72),
    "short": (0.05, 0.12, 0.74),
    "quiff": (0.03, 0.20, 0.72),
    "swept": (0.06, 0.14, 0.78),
    "bob": (0.13, 0.14, 1.0),
    "long": (0.11, 0.12, 1.8),
    "curly": (0.24, 0.24, 0.95),
    "tied": (0.025, 0.07, 0.7),
    "cap": (0.05, 0.12, 0.6),
}


_WOOL = ((0.14, 0.17, 0.26), (0.30, 0.10, 0.11), (0.15, 0.22, 0.16), (0.13, 0.13, 0.14), (0.38, 0.38, 0.40))


def _strands(rng: np.random.Generator, shape: tuple[int, int], style: str) -> tuple[np.ndarray, np.ndarray]:
    """Fine streaks along the hair and broad locks, both of roughly unit deviation."""
    height, width = shape
    if style == "curly":
        fine = noise(rng, shape, (height // 4, width // 4))
        return fine, noise(rng, shape, (max(6, height // 16), max(6, width // 16)))
    if style == "cap":
        columns = np.arange(width, dtype=F)[None, :]
        return np.broadcast_to(np.sin(columns * F(0.9)), shape).astype(F), np.zeros(shape, F)
    fine = noise(rng, shape, (max(4, height // 40), max(8, int(width / 1.7))))
    broad = noise(rng, shape, (max(3, height // 90), max(8, width // 11)))
    if style in ("swept", "short", "quiff"):
        shift = (np.arange(height) * (0.55 if style == "swept" else 0.3)).astype(int)
        columns = (np.arange(width)[None, :] + shift[:, None]) % width
        fine, broad = np.take_along_axis(fine, columns, 1), np.take_along_axis(broad, columns, 1)
    return fine * F(0.75) + broad * F(0.4), broad


def _hair_edge(who: Identity, phi: np.ndarray) -> np.ndarray:
    """Down to which height hair grows at each angle: the hairline, temples, sideburns and nape."""
    style, turn = who.hair_style, np.abs(phi)
    if style == "cap":
        return (F(-0.62) + F(0.50) * step(turn - F(1.3), 1.2)).astype(F)
    line = F(who.hairline) - F(0.10 + 0.16 * who.age) * ridge(turn - F(0.62), 0.22)
    if style in ("bob", "long") and who.parting > 0.35:  # a fringe
        line = F(-0.47) + F(0.03) * np.cos(3 * phi)
        line = np.broadcast_to(line, phi.shape)
    elif style == "swept":
        line = line + F(0.36) * step(phi * F(np.sign(who.parting) or 1.0) + F(0.2), 1.3) * step(
            F(0.95) - turn, 0.4
        )
    elif style in ("bob", "long"):  # parted, falling to both sides
        apart = np.abs(phi - F(0.4 * who.parting))
        line = F(who.hairline - 0.02) + F(0.30) * np.clip(apart / F(0.9), 0, 1.2) ** F(1.5)
    if style in ("bob", "long"):
        return (line + F(9) * step(turn - F(1.13), 0.16)).astype(F)
    if style == "curly":
        return (line + F(0.12) * np.sin(phi * 7) + F(1.9) * step(turn - F(1.22), 0.3)).astype(F)
    burn = F(0.22) if who.beard in ("none", "stubble") and style != "tied" else F(0.38)
    side = step(turn - F(1.12), 0.22) * (burn - line)
    over_ear = F(-0.32) * step(turn - F(1.42), 0.12)
    nape = F(1.0) * step(turn - F(2.0), 0.25)
    return (line + side + over_ear + nape).astype(F)


def hollows(surface: Surface) -> np.ndarray:
    """How open each point is to the sky: 1 on bumps and plains, less in hollows, shape (H, W)."""
    sigma = 0.10 / surface.texel
    small = surface.z[::3, ::3]
    away = gaussian_filter(small, sigma / 3, mode="nearest") - small
    grown = np.asarray(Image.fromarray(away).resize(surface.z.shape[::-1], Image.Resampling.BILINEAR))
    return np.clip(F(1) - F(3.2) * grown, 0.5, 1.10)
