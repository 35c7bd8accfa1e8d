"""What surrounds a generated face: a movie's light and film stock, its set, and the bodies in it."""

import io
from types import SimpleNamespace

import numpy as np
from PIL import Image, ImageFilter

from .face_model import Identity
from .face_surface import F, noise, ridge, step


class Look(SimpleNamespace):
    """What all frames of a movie share, see `draw_look`. Colours and gains are per channel (R, G, B), float64."""


def draw_look(rng: np.random.Generator) -> Look:
    """A movie's look at random."""
    azimuth = rng.uniform(0.15, 1.05) * rng.choice((-1, 1))
    height = rng.uniform(0.25, 0.75)
    light = np.array((np.sin(azimuth), -height, np.cos(azimuth)))
    light /= np.linalg.norm(light)
    warmth = rng.normal(0, 0.07)
    key = rng.uniform(0.62, 0.95) * np.array((1 + warmth, 1.0, 1 - 1.3 * warmth))
    cool = rng.normal(-0.03, 0.05)
    ambient = rng.uniform(0.20, 0.42) * np.array((1 + cool, 1.0, 1 - cool))
    cast = rng.normal(0, 0.05, 3)
    hue = rng.uniform(0, 1)
    palette = []
    for k in range(5):
        angle = 2 * np.pi * (hue + 0.12 * rng.normal() + (0.45 if k == 3 else 0.0))
        base = 0.5 + 0.5 * np.cos(angle - np.array((0, 2.1, 4.2)))
        grey = rng.uniform(0.55, 0.92)
        bright = rng.uniform(0.25, 0.95) if k else rng.uniform(0.2, 0.7)
        palette.append((grey * 0.5 + (1 - grey) * base) * bright)
    return Look(
        light=light,  # (3,) towards the key light: x right, y down, z to the camera
        key=key,
        ambient=ambient,
        rim=float(rng.choice((0.0, 0.25, 0.6))),
        tint=1 + cast - cast.mean(),
        contrast=float(rng.uniform(0.0, 0.5)),
        saturation=float(rng.uniform(0.55, 1.1)),
        grain=float(rng.uniform(1.0, 4.0)),  # deviation in grey levels
        blur=float(rng.uniform(0.5, 1.3)),  # Gaussian sigma in pixels of a 720-pixel frame
        # share of the height lost at the top, and as much at the bottom
        letterbox=float(rng.choice((0.0, 0.08, 0.12), p=(0.4, 0.3, 0.3))),
        quality=int(rng.integers(72, 90)),  # of the broadcast compression
        palette=np.array(palette),  # (5, 3)
        set_seed=int(rng.integers(2**31)),
    )


def backdrop(look: Look, width: int, height: int, shift: tuple[float, float]) -> np.ndarray:
    """The set out of focus behind the actors, sRGB float32 (3, height, width).

    `shift` in [0, 1] squared says which part of the set the camera sees.
    """
    rng = np.random.default_rng([look.set_seed, 1])
    small_w, small_h = 150, 110
    y = np.linspace(0, 1, small_h, dtype=F)[:, None]
    x = np.linspace(0, 1, small_w, dtype=F)[None, :]
    tones = np.array(look.palette, F)[:, :, None, None]
    scene = tones[0] + (tones[1] - tones[0]) * y + F(0.25) * (tones[2] - tones[0]) * x
    for _ in range(int(rng.integers(3, 7))):  # walls, doors, shelves
        x0, wide = rng.uniform(-0.1, 0.95), rng.uniform(0.05, 0.3)
        y0, high = rng.choice((0.0, rng.uniform(0, 0.7))), rng.uniform(0.25, 1.0)
        mask = step(F(wide / 2) - np.abs(x - F(x0 + wide / 2)), 0.03) * step(
            F(high / 2) - np.abs(y - F(y0 + high / 2)), 0.03
        )
        tone = tones[int(rng.integers(1, 5))] * F(rng.uniform(0.5, 1.2))
        scene = scene + mask * F(rng.uniform(0.4, 0.95)) * (tone - scene)
    for _ in range(int(rng.integers(0, 9))):  # lamps, windows, heads far away
        cx, cy, size = rng.uniform(0, 1), rng.uniform(0, 0.9), rng.uniform(0.015, 0.08)
        disc = step(F(size) - np.hypot((x - F(cx)) * F(1.35), y - F(cy)), 0.02)
        glow = tones[3] * F(rng.uniform(0.8, 2.0)) if rng.random() < 0.6 else tones[0] * F(0.4)
        scene = scene + disc * F(rng.uniform(0.3, 0.8)) * (glow - scene)
    scene = scene * (F(1) + F(0.05) * noise(rng, (small_h, small_w), (9, 12)))
    crop_w, crop_h = 110, 82
    left, top = shift[0] * (small_w - crop_w), shift[1] * (small_h - crop_h)
    box = (left, top, left + crop_w, top + crop_h)
    planes = []
    for plane in np.clip(scene, 0, 1.2):
        picture = Image.fromarray(plane.astype(F))
        planes.append(np.asarray(picture.resize((width, height), Image.Resampling.BICUBIC, box=box)))
    return np.stack(planes)


def draw_body(frame: np.ndarray, who: Identity, look: Look, place: tuple[float, float, float, float]) -> None:
    """Draw neck, shoulders and clothes into `frame` (3, H, W) in place.

    Args:
        place: point between the eyes (x, y) in pixels, pixels per half face width, lean in radians.
    """
    cx, cy, unit, lean = place
    first = int(max(0, cy + 0.7 * unit))
    left, right = int(max(0, cx - 3.6 * unit)), int(min(frame.shape[2], cx + 3.6 * unit))
    if first >= frame.shape[1] or right - left < 2:
        return
    px = (np.arange(left, right, dtype=F) - F(cx)) * F(1 / unit)
    py = (np.arange(first, frame.shape[1], dtype=F)[:, None] - F(cy)) * F(1 / unit)
    x, y = px + F(np.sin(lean)) * py, py - F(np.sin(lean)) * px
    pixel, size = 2.0 / unit, np.abs(x)
    part = frame[:, first:, left:right]
    light, key, ambient = (np.array(v, F) for v in (look.light, look.key, look.ambient))

    def lit(nx: np.ndarray, ny: float) -> np.ndarray:
        facing = np.clip((nx * light[0] + F(ny) * light[1] + F(0.75) * light[2] + F(0.2)) / F(1.2), 0, 1)
        return ambient[:, None, None] * F(0.9) + key[:, None, None] * facing

    skin = np.array(who.skin, F)[:, None, None] ** 2
    neck_half = F(who.neck) + F(0.16) * np.clip(y - F(1.75), 0, 1) ** 2 * 2
    shadow = F(1) - F(0.62) * step(F(who.chin + 0.30) - y + F(0.10) * light[0] * x, 0.7)
    tendon = F(1) - F(0.10) * ridge(size - F(0.16) - F(0.1) * (F(2.4) - y), 0.06)
    neck = np.sqrt(np.clip(skin * lit(x / neck_half * F(0.85), -0.1) * shadow * tendon, 0, 1.4))
    part += step(neck_half - size, pixel) * step(y - F(0.7), 0.2) * (neck - part)

    arm = F(1.75 if who.neck < 0.55 else 2.05)
    slope = F(2.04) + F(0.075) * size**2 - F(0.26) * ridge(size, 0.72)
    torso = step(y - slope - F(2.6) * np.clip(size - arm, 0, 3) ** F(2.4), pixel)
    pit = ridge(size - arm - F(0.02) + F(0.06) * (y - F(3.4)), 0.05) * step(y - F(3.1), 0.5)
    rng = np.random.default_rng([who.texture_seed, 9])
    folds = noise(rng, x.shape, (5, 9)) * F(0.05) + noise(rng, x.shape, (14, 30)) * F(0.025)
    cloth = np.array(who.cloth, F)[:, None, None] ** 2
    shape = lit(x * F(0.30), -0.55) * (F(1) + folds - F(0.10) * np.clip(y - F(2.2), 0, 2) - F(0.35) * pit)
    garment = np.sqrt(np.clip(cloth * shape, 0, 1.4))
    chest = np.sqrt(np.clip(skin * lit(x * F(0.25), -0.35) * (F(0.35) + F(0.65) * shadow), 0, 1.4))
    chest = neck + step(y - F(2.0) + F(0.25) * size, 0.5) * (chest - neck)
    if who.neckline == "vee":
        opening = step(F(0.52) - size - F(0.62) * (y - F(1.95)), pixel)
    elif who.neckline == "high":
        opening = np.zeros_like(y)
        collar = step(F(who.neck + 0.05) - size, pixel) * step(y - F(1.62) + F(0.2) * size**2, pixel)
        torso = np.maximum(torso, collar)
    else:
        opening = step(F(0.34) - np.hypot(x * F(0.62), y - F(1.88)), pixel)
    edge = np.clip(F(4) * opening * (F(1) - opening), 0, 1)
    garment = garment * (F(1) - F(0.35) * edge) + opening * (chest - garment)
    if who.neckline == "jacket":
        inner = step(F(0.50) - size + F(0.35) * (F(1.9) - y), pixel) * (F(1) - opening)
        shirt = np.sqrt(np.clip(F(0.55) * shape, 0, 1.3)) * np.array((1, 1, 0.98), F)[:, None, None]
        garment = garment + inner * (shirt - garment)
        lapel = ridge(size - F(0.50) - F(0.35) * (F(1.9) - y), 0.025)
        garment = garment * (F(1) - F(0.5) * lapel)
    part += torso * (garment - part)


def expose(
    frame: np.ndarray, look: Look, rng: np.random.Generator, *, gain: float = 1.0, blur: float = 0.0
) -> np.ndarray:
    """Turn a scene into a film frame: grading, lens, grain, letterbox and broadcast compression.

    Args:
        frame: (3, H, W) float32, sRGB around [0, 1].
        gain: exposure factor; .05 is nearly black.
        blur: further Gaussian sigma in pixels.

    Returns:
        uint8 (H, W, 3).
    """
    height, width = frame.shape[1:]
    grey = frame.mean(axis=0, keepdims=True, dtype=F)
    frame = grey + F(look.saturation) * (frame - grey)
    frame *= np.array(look.tint, F)[:, None, None]
    np.clip(frame, 0, 1, out=frame)
    curve = frame * frame * (F(3) - F(2) * frame)
    frame += F(look.contrast) * (curve - frame)
    levels = np.ascontiguousarray((frame * F(255 * gain)).transpose(1, 2, 0)).astype(np.uint8)
    sigma = float(np.hypot(look.blur * width / 720, blur))
    soft = np.asarray(Image.fromarray(levels).filter(ImageFilter.GaussianBlur(sigma)))
    grain = rng.standard_normal((height // 2 + 1, width // 2 + 1), dtype=F) * F(1.6 * look.grain)
    coarse = np.asarray(Image.fromarray(grain).resize((width, height), Image.Resampling.BILINEAR))
    noisy = np.clip(soft + coarse[:, :, None], 0, 255).astype(np.uint8)
    bars = round(look.letterbox * height)
    if bars:
        noisy[:bars] = noisy[-bars:] = 2
    stored = io.BytesIO()
    Image.fromarray(noisy).save(stored, "JPEG", quality=look.quality)
    return np.array(Image.open(stored))
