"""Draw generated people into a frame and say exactly where their faces are.

Heads are surfaces over angle and height (face_surface). They are lit in place, turned about the vertical
axis row by row and nodded column by column, so a nearer point always hides a farther one, then sampled
once per pixel.
"""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import map_coordinates

from .face_model import Expression, Identity, mouth_of
from .face_paint import paint_face
from .face_surface import F, Surface, hair_surface, head_surface, hollows, ridge, step
from .scenery import Look, backdrop, draw_body, expose


@dataclass(frozen=True)
class Pose:
    """Where a head is: radians, the point between the eyes in pixels, and pixels per half face width."""

    yaw: float  # positive turns the nose to the image's right
    pitch: float  # positive nods down
    tilt: float  # positive is clockwise
    x: float
    y: float
    unit: float


@dataclass(frozen=True)
class Actor:
    """One person in a frame."""

    who: Identity
    face: Expression
    pose: Pose
    from_behind: bool = False


@dataclass(frozen=True)
class Scene:
    """All that a frame shows. `covered` holds a book before eyes and nose of the first actor."""

    look: Look
    actors: tuple[Actor, ...]
    shift: tuple[float, float] = (0.5, 0.5)
    covered: bool = False
    gain: float = 1.0
    blur: float = 0.0


#: A face's exact place in pixels: its box x1, y1, x2, y2, which bounds the face's surface from mid-forehead to
#: chin and 77 degrees to either side of the nose, then x and y of image-left eye, image-right eye, nose tip,
#: image-left and image-right mouth corner.
Places = list[float]


def render(
    scene: Scene, width: int, height: int, rng: np.random.Generator
) -> tuple[np.ndarray, list[Places]]:
    """Draw a scene.

    Args:
        rng: the grain's random stream.

    Returns:
        The frame, uint8 (height, width, 3), and the places of each actor's face that looks at the camera.
    """
    frame = backdrop(scene.look, width, height, scene.shift)
    found: list[Places] = []
    for actor in sorted(scene.actors, key=lambda a: a.pose.unit):
        places = _draw_actor(frame, actor, scene.look)
        if not actor.from_behind:
            found.insert(0, places)
    if scene.covered:
        _draw_book(frame, scene.actors[0], scene.look)
    return expose(frame, scene.look, rng, gain=scene.gain, blur=scene.blur), found


def _draw_actor(frame: np.ndarray, actor: Actor, look: Look) -> Places:
    who, pose = actor.who, actor.pose
    texel = 1 / float(np.clip(1.3 * pose.unit, 48, 130))
    reach = min(1.95 + abs(pose.yaw), np.pi)
    head = head_surface(who, actor.face, texel, reach, from_behind=actor.from_behind)
    places = _places(head, actor)
    paint_face(head, who, actor.face, from_behind=actor.from_behind)
    hair = hair_surface(who, texel, reach, from_behind=actor.from_behind)
    _light(head, look, pose)
    head_view = _View(head, pose)
    if hair is not None:
        _light(hair, look, pose, fibre=True)
        hair_view = _View(hair, pose)
        if who.hair_style in ("bob", "long", "curly") or actor.from_behind:
            hair_view.draw(frame, behind=True)
    draw_body(frame, who, look, (pose.x, pose.y, pose.unit, 0.35 * pose.tilt))
    if hair is not None:
        _shade_under_hair(head, hair)
    head_view.draw(frame)
    if hair is not None:
        hair_view.draw(frame)
    return places


def _shade_under_hair(head: Surface, hair: Surface) -> None:
    """Darken the skin next to the hair, as if the hair cast a soft shadow."""
    rows = np.clip(np.searchsorted(hair.y[:, 0], head.y[:, 0] - F(0.07)), 0, len(hair.y) - 1)
    columns = np.clip(np.searchsorted(hair.phi, head.phi), 0, len(hair.phi) - 1)
    above = hair.cover[np.ix_(rows, columns)]
    rows = np.clip(rows + round(-0.08 / hair.texel), 0, len(hair.y) - 1)
    head.colour *= F(1) - F(0.16) * above - F(0.10) * hair.cover[np.ix_(rows, columns)]


def _rotate(
    pose: Pose, x: np.ndarray, y: np.ndarray, z: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Turn head coordinates by yaw and pitch."""
    turned = x * F(np.cos(pose.yaw)) + z * F(np.sin(pose.yaw))
    deep = z * F(np.cos(pose.yaw)) - x * F(np.sin(pose.yaw))
    nodded = y * F(np.cos(pose.pitch)) + deep * F(np.sin(pose.pitch))
    return turned, nodded, deep * F(np.cos(pose.pitch)) - y * F(np.sin(pose.pitch))


def _to_pixels(pose: Pose, u: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    cos, sin = np.cos(pose.tilt), np.sin(pose.tilt)
    return pose.x + pose.unit * (u * cos - v * sin), pose.y + pose.unit * (u * sin + v * cos)


def _into_head(pose: Pose, vector: np.ndarray) -> np.ndarray:
    """A camera-space direction in the head's axes."""
    cos, sin = np.cos(pose.tilt), np.sin(pose.tilt)
    x, y, z = vector[0] * cos + vector[1] * sin, -vector[0] * sin + vector[1] * cos, vector[2]
    y, z = y * np.cos(pose.pitch) - z * np.sin(pose.pitch), y * np.sin(pose.pitch) + z * np.cos(pose.pitch)
    x, z = x * np.cos(pose.yaw) - z * np.sin(pose.yaw), x * np.sin(pose.yaw) + z * np.cos(pose.yaw)
    return np.array((x, y, z), F)


def _light(surface: Surface, look: Look, pose: Pose, *, fibre: bool = False) -> None:
    """Replace a surface's albedo by the colour it shows under a movie's light."""
    xr, xc = np.gradient(surface.x)
    zr, zc = np.gradient(surface.z)
    texel = F(surface.texel)
    nx, ny, nz = -zc * texel, zc * xr - xc * zr, xc * texel
    scale = F(1) / np.sqrt(nx * nx + ny * ny + nz * nz + F(1e-12))
    nx, ny, nz = nx * scale, ny * scale, nz * scale
    light, view = _into_head(pose, look.light), _into_head(pose, np.array((0.0, 0.0, 1.0)))
    toward = nx * light[0] + ny * light[1] + nz * light[2]
    openness = np.ones_like(toward) if fibre else hollows(surface)
    up = F(0.78) - F(0.22) * ny
    rim = F(look.rim) * np.clip(F(1) - (nx * view[0] + ny * view[1] + nz * view[2]), 0, 1) ** 4
    rim = rim * step(-nx * F(np.sign(light[0])) - F(0.2), 0.6)
    half = light + view
    half /= np.linalg.norm(half)
    shine = np.clip(nx * half[0] + ny * half[1] + nz * half[2], 0, 1)
    shine = shine * shine
    shine = shine * shine
    shine = shine * shine * (shine if fibre else shine * shine)  # power 16 for hair, 24 for skin
    shine = shine * surface.gloss * openness
    for channel, wrap in enumerate((0.42, 0.28, 0.22)):  # light bleeds through skin, red the farthest
        facing = np.clip((toward + F(wrap)) * F(1 / (1 + wrap)), 0, 1)
        lit = F(look.ambient[channel]) * up * openness + F(look.key[channel]) * facing * (
            F(0.35) + F(0.65) * openness
        )
        albedo = surface.colour[channel]
        shown = albedo * albedo * (lit + rim) + F(look.key[channel]) * shine * (
            albedo if fibre else F(1)
        ) * F(0.45)
        shown = np.maximum(shown, 0)
        surface.colour[channel] = np.sqrt(shown / (F(0.9) + F(0.28) * shown))  # film's soft shoulder


class _View:
    """A surface as the camera sees it: for each place on screen, the grid point nearest to the camera."""

    def __init__(self, surface: Surface, pose: Pose) -> None:
        self.surface, self.pose = surface, pose
        x = surface.x * F(np.cos(pose.yaw)) + surface.z * F(np.sin(pose.yaw))
        deep = surface.z * F(np.cos(pose.yaw)) - surface.x * F(np.sin(pose.yaw))
        self.u = np.arange(
            float(x.min()) - 2 * surface.texel, float(x.max()) + 2 * surface.texel, surface.texel
        )
        rows = x.shape[0]
        self.columns = np.empty((rows, len(self.u)), F)
        self.low, self.high = np.empty(rows), np.empty(rows)
        front = int(np.argmin(np.abs(surface.phi + pose.yaw)))
        for i, row in enumerate(x):
            first, last = int(row[: front + 1].argmin()), front + int(row[front:].argmax())
            places = _visible(row[first : last + 1], forward=pose.yaw >= 0)
            self.columns[i] = np.interp(self.u, places, np.arange(first, last + 1))
            self.low[i], self.high[i] = row[first], row[last]
        nearest = np.take_along_axis(deep, self.columns.astype(int), 1)
        drop = surface.y * F(np.cos(pose.pitch)) + nearest * F(np.sin(pose.pitch))
        self.v = np.arange(float(drop.min()), float(drop.max()) + surface.texel, surface.texel)
        self.rows = np.empty((len(self.v), len(self.u)), F)
        for j in range(len(self.u)):
            self.rows[:, j] = np.interp(
                self.v, _visible(drop[:, j], forward=pose.pitch >= 0), np.arange(rows)
            )

    def draw(self, frame: np.ndarray, *, behind: bool = False) -> None:
        """Blend the surface into `frame`; `behind` draws its far side, dark, instead."""
        surface, pose = self.surface, self.pose
        corners_u = np.array((self.u[0], self.u[-1], self.u[0], self.u[-1]))
        corners_v = np.array((self.v[0], self.v[0], self.v[-1], self.v[-1]))
        px, py = _to_pixels(pose, corners_u, corners_v)
        left, right = max(0, int(px.min())), min(frame.shape[2], int(px.max()) + 2)
        top, bottom = max(0, int(py.min())), min(frame.shape[1], int(py.max()) + 2)
        if right <= left or bottom <= top:
            return
        dx = (np.arange(left, right, dtype=F) - F(pose.x)) * F(1 / pose.unit)
        dy = (np.arange(top, bottom, dtype=F)[:, None] - F(pose.y)) * F(1 / pose.unit)
        cos, sin = F(np.cos(pose.tilt)), F(np.sin(pose.tilt))
        u, v = dx * cos + dy * sin, dy * cos - dx * sin
        at_u, at_v = (u - F(self.u[0])) / F(surface.texel), (v - F(self.v[0])) / F(surface.texel)
        row = map_coordinates(self.rows, (at_v, at_u), order=1, mode="nearest")
        sharp = F(pose.unit)
        low = np.interp(row, np.arange(len(self.low)), self.low).astype(F)
        high = np.interp(row, np.arange(len(self.high)), self.high).astype(F)
        cover = np.clip((u - low) * sharp, 0, 1) * np.clip((high - u) * sharp, 0, 1)
        cover *= np.clip(at_v + F(1), 0, 1) * np.clip(F(len(self.v)) - at_v, 0, 1)
        part = frame[:, top:bottom, left:right]
        if behind:
            far = np.sqrt(np.clip((surface.colour**2).mean(axis=(1, 2)), 0, 1)) * F(0.5)
            part += (
                cover * step(F(len(self.low) - 0.12 / surface.texel) - row, 8) * (far[:, None, None] - part)
            )
            return
        shown = cover > 0.004
        at = np.stack((row[shown], at_u[shown]))
        at[1] = map_coordinates(self.columns, at, order=1, mode="nearest")
        weight = cover[shown] * map_coordinates(surface.cover, at, order=1, mode="nearest")
        lines, places = np.nonzero(shown)
        seen = weight > 0.004  # most of a shell of hair is open
        at, weight, lines, places = at[:, seen], weight[seen], lines[seen], places[seen]
        for channel in range(3):
            below = part[channel, lines, places]
            above = map_coordinates(surface.colour[channel], at, order=1, mode="nearest")
            part[channel, lines, places] = below + weight * (above - below)


def _visible(places: np.ndarray, *, forward: bool) -> np.ndarray:
    """Places along a line made increasing, so that a point hidden by a nearer one takes no room."""
    if forward:
        return np.maximum.accumulate(places)
    return np.minimum.accumulate(places[::-1])[::-1]


def _places(head: Surface, actor: Actor) -> Places:
    who, pose = actor.who, actor.pose
    rows = np.flatnonzero(head.y[:, 0] >= -0.86)[::3]
    columns = np.flatnonzero(np.abs(head.phi) <= 1.35)[::3]
    patch = np.ix_(rows, columns)
    u, v, _ = _rotate(pose, head.x[patch], head.y[rows], head.z[patch])
    px, py = _to_pixels(pose, u, v)
    mouth = mouth_of(who, actor.face)
    points = [(-who.eye_gap, 0.0), (who.eye_gap, 0.0), (0.0, who.nose_length - 0.03)]
    points += [(side * mouth.half, mouth.y + mouth.corner[(side + 1) // 2]) for side in (-1, 1)]
    found = [px.min(), py.min(), px.max(), py.max()]
    front = np.abs(head.phi) < 1.5
    for x, y in points:
        row = int(np.clip(np.searchsorted(head.y[:, 0], y), 0, len(head.y) - 1))
        depth = float(np.interp(x, head.x[row, front], head.z[row, front]))
        turned, nodded, _ = _rotate(pose, np.array(x), np.array(y), np.array(depth))
        found += _to_pixels(pose, turned, nodded)
    return [float(value) for value in found]


def _draw_book(frame: np.ndarray, actor: Actor, look: Look) -> None:
    """A book held up before eyes and nose."""
    pose, soft = actor.pose, 2 / actor.pose.unit
    dx = (np.arange(frame.shape[2], dtype=F) - F(pose.x)) * F(1 / pose.unit)
    dy = (np.arange(frame.shape[1], dtype=F)[:, None] - F(pose.y + 0.06 * pose.unit)) * F(1 / pose.unit)
    slant = F(0.14 * actor.who.parting)
    x, y = dx + slant * dy, dy - slant * dx
    inside = np.minimum(F(1.28) - np.abs(x), F(0.74) - np.abs(y))
    cover = step(inside, soft)
    spine = ridge(x - F(0.02), 0.05)
    border = ridge(inside - F(0.09), 0.018) * step(inside, soft)
    lit = F(0.45) + F(0.35 * look.light[2]) + F(0.10 * np.sign(look.light[0])) * x - F(0.06) * y
    paper = np.clip((np.array(actor.who.cloth, F)[::-1] * F(0.8))[:, None, None] * lit, 0, 1)
    shown = paper * (F(1) - F(0.45) * spine) + F(0.25) * border
    frame *= F(1) - F(0.35) * step(inside + F(0.10), 0.25)
    frame += cover * (shown - frame)
