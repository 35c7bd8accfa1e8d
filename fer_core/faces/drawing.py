"""Boxes, numbers and landmarks drawn over a frame, for people to look at."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

#: Okabe and Ito's colours, told apart by colour-blind readers: the chosen face, other faces, a drawn box.
CHOSEN, OTHER, DRAWN = "#009e73", "#e69f00", "#cc79a7"


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
            draw.text((at[0] + 3 - left, at[1] + 3 - top), labels[index], fill="white", font=font)
    radius = max(1.5, width * 0.9)
    for points in landmarks:
        for x, y in points:
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill="#f0e442", outline="black")
    return np.asarray(frame)
