"""Frames that nothing tells from photographs, a run on them, and what is published of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from cli_case import at_home, train_at
from PIL import Image, ImageOps
from pixel_search import PixelSearch

from fer_core.cli.main import main
from fer_core.datasets.images import load_rgb
from fer_core.storage.store import Store


def photographs_of(generated: Path, root: Path) -> Path:
    """Return a folder of half of the generated frames, named and laid out as SFEW has them."""
    for path in sorted(generated.glob("*/*.png"))[::2]:
        target = root / "Train" / path.parent.name.capitalize() / path.name.replace("Synthetic", "")
        target.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(load_rgb(path)).save(target)
    return root


def trained_on(photographs: Path, home: Path) -> Path:
    """Return a home with one finished run on them."""
    arguments = ["--protocol", "group", "--folds", "2", "--epochs", "1", "--unfreeze", "1"]
    return train_at(home, "--data", str(photographs), *arguments)


def search_for(photographs: Path, lab: Path) -> PixelSearch:
    """Return a search for the frames, their middles and the faces cut out of them."""
    frames = [load_rgb(path) for path in photographs.rglob("*.png")]
    squares = [np.asarray(ImageOps.fit(Image.fromarray(one), (256, 256))) for one in frames]
    return PixelSearch([*frames, *squares, *np.load(next(lab.rglob("crops.npy")))])


def published(lab: Path, folder: Path, *pictures: str) -> Path:
    """Return the folder that `publish` has written of the lab's run."""
    [run] = Store(lab / "fer.sqlite").runs(status=["done"], goal="train")
    with pytest.MonkeyPatch.context() as patch:
        at_home(patch, lab)
        extra = ["--pictures", *pictures] if pictures else []
        assert main(["publish", "--run", run.id[:6], "-o", str(folder), *extra]) == 0
    return folder
