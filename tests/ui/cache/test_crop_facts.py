"""What is kept between visits is renewed when what it rests on changes."""

import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd

from fer_core.datasets.open import open_dataset
from fer_core.faces.extraction import Crops
from fer_core.ui.cache import resources
from fer_core.ui.cache.crop_facts import CropFacts


def test_a_picture_is_drawn_again_for_another_key() -> None:
    drawn: list[str] = []

    def make(what: str) -> bytes:
        drawn.append(what)
        return what.encode()

    def ask(fingerprint: str) -> bytes:
        return resources.picture(lambda: make(fingerprint), "source", fingerprint, "a.png")

    assert [ask("one"), ask("one"), ask("two")] == [b"one", b"one", b"two"]
    assert drawn == ["one", "two"]


def test_a_data_set_that_is_opened_again_is_counted_again(generated: Path, tmp_path: Path) -> None:
    root = tmp_path / "faces"
    for source in sorted(generated.glob("*/*.png"))[:9]:
        target = root / source.parent.name / source.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)
    before = open_dataset(root)
    assert before.tally == Counter((one.label, one.split, one.group) for one in before.samples)
    first = before.samples[0].path
    shutil.copy(first, first.with_name("another.png"))
    after = open_dataset(root)
    assert before.tally.total() == 9
    assert after.tally.total() == 10


def test_facts_are_those_of_their_own_crops() -> None:
    row = {"name": "a.png", "label": 3, "split": None, "group": "film", "rescued_by": None, "row": 0}
    table = pd.DataFrame([row | {"status": "found"}, row | {"name": "b.png", "status": "none", "row": -1}])
    facts = CropFacts(Crops(table, np.zeros((1, 8, 8, 3), np.uint8)))
    assert facts.statuses == {"found": 1, "none": 1}
    assert facts.failed_names == ["b.png"]
    assert facts.groups == ["film"]
    assert list(facts.by_group["Share"]) == [50.0]
    assert facts.by_class.to_dict("records") == [
        {"class": "happy", "status": "found", "images": 1},
        {"class": "happy", "status": "none", "images": 1},
    ]
    assert facts.row("b.png") == {**row, "name": "b.png", "status": "none", "row": -1}
    assert facts.row("c.png") is None
    other = CropFacts(Crops(table.assign(status="found"), np.zeros((1, 8, 8, 3), np.uint8)))
    assert other.statuses == {"found": 2}
