"""Small pictures of classes: a few from all over, and none of what can't be read."""

from pathlib import Path

from trees import plant

from fer_core.config.reading import Reading
from fer_core.datasets.open import open_dataset
from fer_core.ui.cache.samples import SAMPLES, SIDE, class_samples


def test_each_class_as_it_is_written_has_a_few_pictures(tmp_path: Path) -> None:
    names = [f"happy/{number:02}.png" for number in range(9)] + ["joy/a.png", "sad/a.png", "sad/b.png"]
    plant(tmp_path, names)
    (tmp_path / "sad" / "a.png").write_bytes(b"no picture")
    found = class_samples(open_dataset(tmp_path, reading=Reading()), "any key")
    assert {label: len(pictures) for label, pictures in found.items()} == {
        ("happy", "happy"): SAMPLES,
        ("happy", "joy"): 1,
        ("sad", "sad"): 1,
    }
    assert {picture.shape for pictures in found.values() for picture in pictures} == {(SIDE, SIDE, 3)}
