"""Boxes, numbers, landmarks and candidates drawn over a frame, for people to look at."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageColor, ImageDraw, ImageFont

from fer_core.faces.mtcnn.trace import Fate

#: Okabe and Ito's colours, which colour-blind readers can tell apart: the chosen face, other faces, a drawn box.
CHOSEN, OTHER, DRAWN = "#009e73", "#e69f00", "#cc79a7"

#: What became of a candidate, in the order it is drawn: its colour and how opaque its outline is (0..255).
FATES: dict[Fate, tuple[str, int]] = {
    Fate.OUTSIDE: ("#999999", 120),
    Fate.SCALE_NMS: ("#56b4e9", 70),
    Fate.NMS: ("#e69f00", 170),
    Fate.BELOW: ("#d55e00", 170),
    Fate.KEPT: ("#009e73", 255),
}

#: Pixels of a picture's longer side: small frames are enlarged, so that outlines stay apart.
WIDE = 1280

#: The candidate a caption speaks of.
MARKED = "#f0e442"


def annotate(
    image: np.ndarray,
    boxes: Sequence[Sequence[float]],
    *,
    labels: Sequence[str] = (),
    colours: Sequence[str] = (),
    landmarks: Sequence[np.ndarray] = (),
) -> np.ndarray:
    """Return a copy of a frame with its boxes, their labels and landmarks.

    Args:
        image: (H, W, 3) uint8 RGB.
        boxes: (x1, y1, x2, y2) in source pixels each.
        labels: a short text a box, drawn above it (below where there is no room).
        colours: a colour a box; `CHOSEN` where left out.
        landmarks: (5, 2) source pixels each.
    """
    frame = Image.fromarray(image).copy()
    draw = ImageDraw.Draw(frame)
    width = max(2, round(min(frame.size) / 220))
    font = ImageFont.load_default(size=max(11, round(min(frame.size) / 32)))
    for index, (x1, y1, x2, y2) in enumerate(boxes):
        colour = colours[index] if index < len(colours) else CHOSEN
        draw.rectangle((x1, y1, x2, y2), outline=colour, width=width)
        if index < len(labels) and labels[index]:
            left, top, right, bottom = draw.textbbox((0, 0), labels[index], font=font)
            wide, high = right - left + 6, bottom - top + 6
            at = (max(0.0, min(x1, frame.width - wide)), y1 - high if y1 >= high else y1 + width)
            draw.rectangle((at[0], at[1], at[0] + wide, at[1] + high), fill=colour)
            fill = "black" if ImageColor.getcolor(colour, "L") > 140 else "white"  # type: ignore[operator]
            draw.text((at[0] + 3 - left, at[1] + 3 - top), labels[index], fill=fill, font=font)
    radius = max(1.5, width * 0.9)
    for points in landmarks:
        for x, y in points:
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill="#f0e442", outline="black")
    return np.asarray(frame)


def draw_fates(
    image: np.ndarray,
    boxes: np.ndarray,
    fates: np.ndarray,
    *,
    marked: np.ndarray | None = None,
    label: str = "",
) -> np.ndarray:
    """Return a frame with one stage's candidates in the colours of `FATES`, those that were kept on top.

    Args:
        image: (H, W, 3) uint8 RGB.
        boxes: (n, 4) source pixels.
        fates: (n,) of `trace.Fate`.
        marked: (4,) box drawn over all others, with `label`.
    """
    height, width = image.shape[:2]
    scale = WIDE / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    frame = Image.fromarray(image).resize(size, Image.Resampling.BICUBIC).convert("RGBA")
    for fate, (colour, opacity) in FATES.items():
        layer = Image.new("RGBA", size)
        draw = ImageDraw.Draw(layer)
        outline = (*ImageColor.getrgb(colour)[:3], opacity)
        for box in boxes[fates == fate] * scale:
            draw.rectangle(tuple(box), outline=outline, width=2 if fate == Fate.SCALE_NMS else 4)
        frame.alpha_composite(layer)
    drawn = np.asarray(frame.convert("RGB"))
    if marked is None:
        return drawn
    return annotate(drawn, [tuple(marked * scale)], labels=[label], colours=[MARKED])


def draw_pyramid(image: np.ndarray, scales: Sequence[float], cells: np.ndarray) -> np.ndarray:
    """Return the levels of an image pyramid side by side, each with one cell marked.

    Args:
        image: (H, W, 3) uint8 RGB.
        scales: size of each level over the frame's, largest first.
        cells: (n, 4) the marked cell of each level, source pixels.
    """
    gap = 6
    longest = image.shape[1] * sum(scales)
    enlarge = (WIDE - gap * (len(scales) - 1)) / longest
    tallest = max(1, round(image.shape[0] * scales[0] * enlarge))
    picture = Image.new("RGBA", (WIDE, tallest))
    left = 0.0
    for scale, cell in zip(scales, cells, strict=True):
        factor = scale * enlarge
        size = (max(1, round(image.shape[1] * factor)), max(1, round(image.shape[0] * factor)))
        level = Image.fromarray(image).resize(size, Image.Resampling.BOX).convert("RGBA")
        ImageDraw.Draw(level).rectangle(tuple(cell * factor), outline=MARKED, width=2)
        picture.paste(level, (round(left), tallest - size[1]))
        left += size[0] + gap
    return np.asarray(picture)
