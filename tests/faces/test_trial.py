"""What other settings would change is counted frame by frame, from real files and a stand-in detector."""

from pathlib import Path

import pandas as pd
import pytest
from faces_case import Finder
from PIL import Image

from fer_core.config.run import FacesConfig
from fer_core.datasets.base import Sample
from fer_core.faces.trial import attempt, pick


def by_level(faces: dict[int, list[tuple[float, float]]]) -> Finder:
    """Finds the faces that are listed for a frame's gray level: (x of the box, probability) each."""
    return Finder(lambda image: [((x, 10, x + 20, 30), p) for x, p in faces.get(int(image.mean()), [])])


@pytest.fixture
def samples(tmp_path: Path) -> list[Sample]:
    found = []
    for index in range(6):
        path = tmp_path / f"frame{index}.png"
        Image.new("RGB", (90, 60), (20 * index + 20,) * 3).save(path)
        found.append(Sample(path.name, path, index, None, "", ""))
    return found


def before(statuses: list[str]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "name": [f"frame{index}.png" for index in range(len(statuses))],
            "status": statuses,
            "box": [None if status == "none" else [5.0, 10.0, 25.0, 30.0] for status in statuses],
        }
    )


def test_wins_losses_and_other_faces_are_told_apart(samples: list[Sample]) -> None:
    table = before(["none", "found", "found", "low-confidence", "found", "none"])
    detector = by_level({20: [(5, 0.99)], 60: [(60, 0.99)], 80: [(5, 0.8)], 100: [(5, 0.99), (60, 0.98)]})
    reported: list[tuple[int, int]] = []
    config = FacesConfig(size=32)
    result, crops = attempt(samples, table, config, detector, progress=lambda *done: reported.append(done))
    assert list(result["outcome"]) == ["won", "lost", "another face", "as before", "lost", "as before"]
    assert list(result["after"]) == ["found", "none", "found", "low-confidence", "several", "none"]
    assert crops.shape == (6, 32, 32, 3)
    assert [int(crop.mean()) for crop in crops] == [20, 40, 60, 80, 100, 120]
    assert reported == [(done, 6) for done in range(1, 7)]


@pytest.mark.parametrize(("probability", "status"), [(0.95, "found"), (0.72, "low-confidence")])
def test_a_face_that_a_second_look_found_is_won_whatever_its_probability(
    samples: list[Sample], probability: float, status: str
) -> None:
    wide = Finder(lambda image: [((10, 10, 30, 30), probability)] * int(image.shape[1] > 100))
    result, _ = attempt(samples, before(["none"]), FacesConfig(size=32, rescue=("upscale",)), wide)
    assert result.iloc[0][["after", "outcome", "rescued_by"]].tolist() == [status, "won", "upscale"]


def test_a_sample_is_bounded_spread_and_leaves_out_what_cannot_be_read() -> None:
    statuses = ["none"] * 5 + ["unreadable"] * 3 + ["found"] * 40 + ["manual"] * 2
    table = pd.DataFrame({"name": [f"{i:03}" for i in range(50)], "status": statuses, "rescued_by": None})
    table.loc[50] = ["won back", "low-confidence", "stretch"]
    chosen = pick(table, 3, 10)
    assert chosen["status"].value_counts().to_dict() == {"found": 10, "none": 3}
    assert list(chosen[chosen["status"] == "none"]["name"]) == ["000", "002", "004"]
    assert {"008", "047"} <= set(chosen["name"])
    assert len(pick(table, 100, 100)) == 45
