"""What is painted on a generated face: skin, eyes, brows, mouth, beard and glasses."""

import numpy as np

from .face_model import Expression, Identity, brow_of, lids_of, mouth_of
from .face_surface import F, Surface, bump, noise, ridge, step


def paint_face(surface: Surface, who: Identity, face: Expression, *, from_behind: bool = False) -> None:
    """Give a head surface its colour, cover and gloss; from behind it is bare skin."""
    surface.colour[:] = np.array(who.skin, F)[:, None, None]
    if from_behind:
        surface.gloss[:] = 0.06
        return
    _skin(surface, who, face)
    if who.beard != "none":
        _beard(surface, who, face)
    for side in (-1, 1):
        _eye(surface, who, face, side)
        _brow(surface, who, face, side)
    _mouth(surface, who, face)
    if who.glasses != "none":
        _glasses(surface, who)


def _skin(surface: Surface, who: Identity, face: Expression) -> None:
    x, y, shape = surface.x, surface.y, surface.x.shape
    rng = np.random.default_rng([who.texture_seed, 2])
    skin = np.array(who.skin, F)
    mottle = noise(rng, shape, (26, 26)) * F(0.6) + noise(rng, shape, (70, 70)) * F(0.4)
    surface.colour *= F(1) + F(0.022 + 0.02 * who.age) * mottle
    red = np.clip(skin * np.array((1.04, 0.80, 0.78), F), 0, 1)
    flush = bump(np.abs(x), y, 0.55, 0.42, 0.24, 0.20) + F(0.8) * bump(x, y, 0, who.nose_length, 0.15, 0.13)
    flush += F(0.7) * bump(np.abs(surface.phi), y, 1.62, 0.15, 0.2, 0.3)
    surface.paint(np.clip(F(0.55 * who.blush) * flush, 0, 1), red)
    shadow = skin * np.array((0.82, 0.73, 0.74), F)
    surface.paint(F(0.25 + 0.3 * who.age) * bump(np.abs(x), y, who.eye_gap, 0.05, 0.2, 0.13), shadow)
    if who.make_up:
        lid = bump(np.abs(x), y, who.eye_gap + 0.03, -0.1, 0.2, 0.08)
        surface.paint(F(0.4 * who.make_up) * lid, skin * np.array((0.6, 0.48, 0.55), F))
    if who.freckles:
        spots = noise(rng, shape, (shape[0] // 4, shape[1] // 4))
        spread = bump(np.abs(x), y, 0.35, 0.35, 0.4, 0.28)
        surface.paint(
            F(0.5 * who.freckles) * step(spots - F(1.1), 0.6) * spread, skin * np.array((0.75, 0.58, 0.48), F)
        )
    nostril = np.zeros_like(x)
    for side in (-1, 1):
        at = who.nose_length + 0.065 - 0.05 * face(9, side)
        nostril = nostril + bump(x, y, side * 0.075 * who.nose_width, at, 0.042, 0.022)
    surface.paint(np.clip(F(0.95) * nostril, 0, 0.9), skin * np.array((0.28, 0.17, 0.15), F))
    shine = bump(x, y, 0, who.nose_length - 0.06, 0.10, 0.22) + F(0.6) * bump(x, y, 0, -0.6, 0.4, 0.2)
    surface.gloss = F(0.10) + F(0.16) * shine + F(0.12) * bump(np.abs(x), y, 0.52, 0.28, 0.18, 0.1)


def _beard(surface: Surface, who: Identity, face: Expression) -> None:
    x, y, shape = surface.x, surface.y, surface.x.shape
    rng = np.random.default_rng([who.texture_seed, 3])
    mouth = mouth_of(who, face)
    hairs = noise(rng, shape, (shape[0] // 6, shape[1] // 2))
    across = np.abs(x) * F(1 / who.width)
    cheek = F(mouth.y - 0.03) - F(0.42) * np.clip(across - F(0.35), 0, 1) ** F(1.3)
    u = x * F(1 / (mouth.half + 0.05))
    centre = mouth.line(x) - F(mouth.up + mouth.upper + 0.045) * np.clip(F(1) - u * u, -1, 1) + F(0.02)
    bush = F(0.085) * (F(1) - F(0.45) * u * u) * (F(1) + F(0.18) * hairs)
    moustache = step(bush - np.abs(y - centre), 0.07) * step(F(1.08) - np.abs(u), 0.2)
    below = mouth.y + mouth.down + mouth.lower
    tuft = (x / F(0.25)) ** 2 + ((y - F(below + 0.26)) / F(0.24)) ** 2
    chin = step(F(1) - tuft + F(0.12) * hairs, 0.5)
    full = np.maximum(step(y - cheek + F(0.03) * hairs, 0.14), moustache)
    area = {"moustache": moustache, "goatee": np.maximum(moustache, chin)}.get(who.beard, full)
    area = area * step(F(1.62) - np.abs(surface.phi), 0.2)
    strength = 0.34 if who.beard == "stubble" else 0.88
    cover = np.clip(area * F(strength) * (F(1) + F(0.22) * hairs), 0, 0.97)
    tone = np.array(who.hair, F) * F(0.85)
    if who.beard == "stubble":
        tone = F(0.5) * tone + F(0.5) * np.array(who.skin, F) * F(0.55)
    surface.colour += cover * (tone[:, None, None] * (F(1) + F(0.25) * hairs) - surface.colour)
    surface.gloss *= 1 - F(0.8) * cover
    if who.beard != "stubble":
        surface.z += F(0.035) * area * (F(1) + F(0.3) * hairs) * (surface.z > 0)


def _eye(surface: Surface, who: Identity, face: Expression, side: int) -> None:
    low, high = sorted((side * (who.eye_gap - 0.36), side * (who.eye_gap + 0.36)))
    part = surface.patch(low, high, -0.36, 0.30)
    x, soft = part.x, max(0.02, 1.6 * surface.texel)
    across = side * x - F(who.eye_gap)
    u = across * F(1 / who.eye_width)
    v = part.y + F(who.eye_tilt) * across
    upper, lower = lids_of(who, face, side)
    arch = np.clip(1 - u * u, 0, 1)
    top = F(upper) * arch ** F(0.62) * (F(1) - F(0.16) * u)
    bottom = F(lower) * arch ** F(0.8) * (F(1) + F(0.22) * u)
    opening = step(v + top, soft) * step(bottom - v, soft) * step(F(1) - np.abs(u), 0.06)
    skin = np.array(who.skin, F)
    fold = ridge(v + top + F(0.055), 0.02) * step(F(1.15) - np.abs(u), 0.3)
    part.paint(F(0.42) * fold, skin * np.array((0.55, 0.42, 0.40), F))
    shade = F(0.55) + F(0.45) * step(v + top - F(0.035), 0.09)
    shade = shade * (F(1) - F(0.25) * np.abs(u) ** 3)
    white = np.array((0.90, 0.87, 0.84), F)[:, None, None] * shade
    pink = ridge(u + F(1.0), 0.16)
    white = white + pink * (np.array((0.72, 0.45, 0.42), F)[:, None, None] - white)
    part.colour += opening * (white - part.colour)
    gx, gy = side * (x - F(side * who.eye_gap)) - F(side * face.gaze[0]), v - F(face.gaze[1] - 0.008)
    distance = np.sqrt(gx * gx + gy * gy)
    iris = step(F(0.098) - distance, soft) * opening
    rings = F(0.62) + F(0.55) * np.clip(distance / F(0.098), 0, 1) - F(0.75) * step(distance - F(0.086), 0.03)
    tone = np.array(who.iris, F)[:, None, None] * (rings * (F(0.6) + F(0.4) * shade))
    part.colour += iris * (np.clip(tone, 0, 1) - part.colour)
    part.paint(step(F(0.044) - distance, soft) * opening, (0.03, 0.025, 0.03))
    glint = step(F(0.020) - np.hypot(x - F(side * who.eye_gap) + F(0.03), gy + F(0.035)), soft)
    part.paint(F(0.9) * glint * opening, (1.0, 1.0, 0.98))
    lash = ridge(v + top, 0.017 + 0.008 * who.make_up) * step(F(1.1) - np.abs(u), 0.1)
    lash *= F(0.72 + 0.2 * who.make_up) * (F(0.7) + F(0.3) * step(u, 1.2))
    part.paint(lash, (0.07, 0.05, 0.05))
    rim = ridge(v - bottom, 0.014) * step(F(1.02) - np.abs(u), 0.1)
    part.paint(F(0.38) * rim, skin * np.array((0.5, 0.36, 0.36), F))
    part.z -= F(0.03) * opening
    part.gloss *= 1 - F(0.9) * opening


def _brow(surface: Surface, who: Identity, face: Expression, side: int) -> None:
    points = brow_of(who, face, side)
    low, high = sorted((side * (points[0, 0] - 0.08), side * (points[2, 0] + 0.1)))
    part = surface.patch(low, high, -0.85, 0.05)
    x, y = side * part.x, part.y
    curve = np.polyfit(points[:, 0].astype(float), points[:, 1].astype(float), 2).astype(F)
    centre = (curve[0] * x + curve[1]) * x + curve[2]
    along = (x - points[0, 0]) * F(1 / (points[2, 0] - points[0, 0]))
    thick = F(who.brow_thickness) * (F(1) - F(0.72) * np.clip(along, 0, 1) ** F(1.6))
    rng = np.random.default_rng([who.texture_seed, 4 + side])
    hairs = noise(rng, x.shape, (max(3, x.shape[0] // 5), max(3, x.shape[1] // 2)))
    mask = step(thick * (F(1) + F(0.15) * hairs) - np.abs(y - centre), 0.045)
    mask = mask * step(along + F(0.04), 0.14) * step(F(1.03) - along, 0.16)
    tone = np.array(who.hair, F) * F(0.62) + np.array(who.skin, F) * F(0.06)
    part.paint(np.clip(F(0.80) * mask * (F(1) + F(0.2) * hairs), 0, 0.95), tone)
    part.z += F(0.012) * mask


def _mouth(surface: Surface, who: Identity, face: Expression) -> None:
    mouth = mouth_of(who, face)
    reach = mouth.half * 1.6
    part = surface.patch(-reach, reach, mouth.y - 0.4, mouth.y + 0.62)
    x, y = part.x, part.y
    soft = max(0.02, 1.6 * surface.texel)
    u = x * F(1 / mouth.half)
    size = np.abs(u)
    inside = np.clip(1 - size ** F(mouth.square), 0, 1)
    line = mouth.line(x)
    top, bottom = line - F(mouth.up) * inside, line + F(mouth.down) * inside
    bow = F(1) - F(0.30) * ridge(u, 0.16) + F(0.12) * ridge(size - F(0.28), 0.2)
    upper = F(mouth.upper) * np.clip(1 - size**2.2, 0, 1) ** F(0.7) * bow
    lower = F(mouth.lower) * np.clip(1 - size**2.4, 0, 1) ** F(0.8)
    within = step(F(1.0) - size, 0.05)
    lips_up = step(y - (top - upper), soft * 1.3) * step(top + F(0.008) - y, soft) * within
    lips_low = step((bottom + lower) - y, soft * 1.6) * step(y - bottom + F(0.008), soft) * within
    lip = np.array(who.lip, F)
    part.paint(F(0.88) * lips_up, lip * F(0.86))
    part.paint(F(0.85) * lips_low, lip)
    gap = mouth.up + mouth.down
    if gap > 0.02:
        hole = step(y - top, soft) * step(bottom - y, soft) * step(F(0.985) - size, 0.05)
        part.paint(hole, (0.13, 0.045, 0.045))
        tongue = hole * bump(x, y, 0, mouth.y + mouth.down + 0.01, mouth.half * 0.6, 0.09)
        part.paint(F(0.75) * tongue, (0.52, 0.22, 0.21))
        seam = F(1) - F(0.16) * ridge(np.sin(x * F(np.pi / 0.075)), 0.22)
        bright = (F(0.92) - F(0.45) * size**2)[None] * seam * np.array((0.93, 0.90, 0.84), F)[:, None, None]
        teeth_up = hole * step(top + F(0.055 + 0.055 * face(12) + 0.03 * face(10)) - y, soft * 1.4)
        teeth_up = teeth_up * step(F(0.86) - size, 0.12) * F(min(1.0, gap / 0.09))
        part.colour += teeth_up * (bright - part.colour)
        showing = min(1.0, face(16) + 0.9 * face(20))
        teeth_low = hole * step(y - bottom + F(0.045), soft * 1.4) * step(F(0.7) - size, 0.15) * F(showing)
        part.colour += teeth_low * (bright * F(0.82) - part.colour)
        part.z -= F(0.05) * hole
        part.gloss *= 1 - F(0.6) * hole
    seal = ridge(y - F(0.5) * (top + bottom), 0.014) * step(F(1.03) - size, 0.06)
    part.paint(
        F(0.85) * seal * F(max(0.0, 1 - gap / 0.06)), np.array(who.skin, F) * np.array((0.34, 0.18, 0.17), F)
    )
    for side in (-1, 1):
        corner = bump(x, y, side * mouth.half, mouth.y + mouth.corner[(side + 1) // 2], 0.035, 0.03)
        part.paint(F(0.5) * corner, np.array(who.skin, F) * np.array((0.45, 0.3, 0.28), F))
    relief = (
        F(0.045) * lips_up * np.sin(np.clip((y - top + upper) / (upper + F(1e-3)), 0, 1) * F(np.pi / 1.6))
    )
    relief += (
        F(0.06) * lips_low * np.sin(np.clip((bottom + lower - y) / (lower + F(1e-3)), 0, 1) * F(np.pi / 1.6))
    )
    part.z += relief
    part.gloss += F(0.16 + 0.3 * who.make_up) * lips_low


def _glasses(surface: Surface, who: Identity) -> None:
    x, y = surface.x, surface.y
    power = 2.0 if who.glasses == "round" else 5.0
    rng = np.random.default_rng([who.texture_seed, 7])
    tone = np.array(((0.06, 0.05, 0.05), (0.30, 0.18, 0.10), (0.45, 0.42, 0.40))[int(rng.integers(3))], F)
    rim = F(0.022 if tone[0] > 0.4 else 0.034)
    front = (surface.z > 0) & (np.abs(y) < 0.5)
    across = (np.abs(x) - F(who.eye_gap + 0.02)) * F(1 / 0.33)
    ring = (np.abs(across) ** power + np.abs((y - F(0.03)) * F(1 / 0.235)) ** power) ** F(1 / power) - 1
    frame = step(rim - np.abs(ring) * F(0.26), 0.03) * front
    bridge = (
        step(rim * F(0.7) - np.abs(y + F(0.05) + F(0.3) * x * x), 0.03)
        * (np.abs(x) < who.eye_gap - 0.29)
        * front
    )
    arm = (
        step(rim - np.abs(y + F(0.04)), 0.03) * (np.abs(x) > who.eye_gap + 0.34) * (np.abs(surface.phi) < 1.7)
    )
    below = np.abs(y - F(0.075)) < 0.5
    cast = step(F(0.05) - np.abs(ring) * F(0.26), 0.1) * front * below
    surface.paint(F(0.18) * cast, np.array(who.skin, F) * F(0.4))
    all_of_it = np.clip(frame + bridge + arm, 0, 1)
    surface.paint(F(0.95) * all_of_it, tone)
    surface.gloss = surface.gloss * (1 - all_of_it) + F(0.12) * all_of_it
