"""A generated feature table with the traps of the real one; its figures are drawn, not measured on faces."""

import csv
from pathlib import Path

import numpy as np
from openpyxl import Workbook

from fer_core.config.run import CLASSES
from fer_core.datasets.base import GENERATED_MOVIE
from fer_core.datasets.readers.feature_table import COMPONENTS

MOVIES = 37
_BLANK = [""] * (COMPONENTS - 1)
HEADERS = (
    ["", "Label", "First 5 principal\ncomponents of LPQ", *_BLANK, "First 5 PCs of PHOG", *_BLANK],
    ["\n", "", *[""] * (2 * COMPONENTS)],
)


def generate_table(path: Path, *, seed: int = 0, rows: int = 675) -> Path:
    """Write a sheet like the one that stands for SFEW in courses, traps included.

    Figures: an offset a class, an offset a movie and noise, so that folds that split a movie look
    better than folds that do not, as on film frames. Traps: one row's five PHOG cells hold the text 'NaN';
    one stem is listed under two labels; headers are blank, merged and broken by newlines (.xlsx alone). The movies'
    names say that they are generated, by which every copy is known.

    Args:
        path: .xlsx (two merged header rows) or .csv (no header).
        seed: of everything drawn.
        rows: 21 or more.
    """
    rng = np.random.default_rng(seed)
    labels = np.sort(np.arange(rows) % len(CLASSES))
    movies = rng.integers(0, MOVIES, rows)
    of_class = rng.normal(size=(len(CLASSES), 2 * COMPONENTS))
    of_movie = rng.normal(size=(MOVIES, 2 * COMPONENTS))
    figures = 0.5 * of_class[labels] + 0.7 * of_movie[movies] + rng.normal(size=(rows, 2 * COMPONENTS))
    figures *= np.tile(0.3 * 0.7 ** np.arange(COMPONENTS), 2)  # components come by falling variance
    shots, frames = rng.permutation(100 * rows)[:rows], rng.integers(1, 90, rows)
    names = [
        f"{GENERATED_MOVIE}Film{movie:02d}_{shot:07d}00_{frame:08d}.png"
        for movie, shot, frame in zip(movies, shots, frames, strict=True)
    ]
    lines: list[list[object]] = [
        [name, int(label) + 1, *(round(float(value), 6) for value in values)]
        for name, label, values in zip(names, labels, figures, strict=True)
    ]
    without_phog, twice = rng.choice(rows // 2, size=2, replace=False)
    lines[without_phog][2 + COMPONENTS :] = ["NaN"] * COMPONENTS
    lines[rows - 1][0] = lines[twice][0]
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix.lower() == ".csv":
        with path.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(lines)
        return path
    book = Workbook()
    sheet = book.active
    assert sheet is not None  # a new workbook has a sheet
    for line in [*HEADERS, *lines]:
        sheet.append(line)
    for area in ("A1:A2", "B1:B2", "C1:G1", "H1:L1"):
        sheet.merge_cells(area)
    book.save(path)
    return path
