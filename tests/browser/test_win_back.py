"""From lost faces to a named detection that has won them back, in at most five steps and without a mouse."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from dashboards import Keys, Server
from faces_case import keep_run
from PIL import Image
from playwright.sync_api import Page, expect
from report_case import Recorder

from benchmarks.parts.hard_frames import lost
from fer_core.config.run import CLASSES, FacesConfig, RunConfig
from fer_core.config.settings import load
from fer_core.datasets.fingerprint import data_config
from fer_core.datasets.open import open_dataset
from fer_core.faces.crops import failed
from fer_core.faces.crops_artifact import read_names
from fer_core.faces.extraction import Crops
from fer_core.runs.pipeline.run import extract_faces
from fer_core.runs.plans.detections import named_detections
from fer_core.runs.plans.requests import CHOICE
from fer_core.storage.artifacts import Artifacts
from fer_core.storage.store import Store
from fer_core.ui.faces.win_back import TRIED

#: What a frame shows, a frame of each class in turn.
KINDS = ("tinted", "tinted", "nobody", "tinted", "dark", "tinted", "tinted")


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a data set of generated frames in coloured light or the dark, and some that nothing can help."""
    folder = tmp_path_factory.mktemp("lost")
    for index, kind in enumerate(KINDS):
        path = folder / CLASSES[index % 7] / f"Lantern_0000{index:02d}000_{index:08d}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(lost(kind, np.random.default_rng([9, index])).image).save(path)
    return folder


def crops_of(frames: Path, home: Path, faces: FacesConfig) -> Crops:
    """Return the crops of these settings, cut now unless they are there."""
    torch.set_num_threads(1)
    dataset, here = open_dataset(str(frames)), load(home=home, device="cpu", threads=1)
    config = RunConfig(goal="faces", data=data_config(dataset, cache=here.cache), faces=faces)
    keep_run(home, config)
    return extract_faces(config, dataset, Artifacts(here.artifacts), Recorder(), here)


def test_lost_faces_are_won_back_and_kept_under_a_name_in_two_keys_and_one_no(
    page: Page, frames: Path, tmp_path: Path, server: Callable[..., Server]
) -> None:
    before = crops_of(frames, tmp_path, FacesConfig(choice=CHOICE)).table
    faces = FacesConfig(choice=CHOICE, rescue=TRIED)
    elsewhere = crops_of(frames, tmp_path / "expected", faces).table.set_index("name")
    none = before["name"][before["status"] == "none"]
    won = [name for name in none if elsewhere.loc[name, "rescued_by"]]
    assert len(won) >= 3  # else the page could win nothing and the test not see it
    press = Keys(page)
    lab = server(tmp_path, FER_DEVICE="cpu")
    page.goto(lab.at("faces", data=str(frames)), wait_until="commit")
    press(page.get_by_role("button", name=f"Win back lost faces ({len(none)})"))
    expect(page.get_by_text(re.compile("show a face now"))).to_contain_text(f"{len(won)} of {len(none)}")
    expect(page.get_by_role("img", name=re.compile("^Crop of "))).to_have_count(len(won))
    press(page.locator("[data-testid=stCheckbox] input").first, "Space")
    press(page.get_by_role("button", name=f"Keep {len(won) - 1} as “Won back”"))
    expect(
        page.get_by_role("button", name=f"Win back lost faces ({len(none) - len(won) + 1})")
    ).to_be_visible()
    assert press.count == 3

    store = Store(load(home=tmp_path).database)
    data = data_config(open_dataset(str(frames)), cache=tmp_path / "cache")
    kept = named_detections(store, data.fingerprint)["Won back"]
    assert read_names(Artifacts(tmp_path / "artifacts"), kept.turned_down) == {won[0]}
    after = crops_of(frames, tmp_path, kept).table.set_index("name")
    assert set(after.index[after["rescued_by"].notna()]) == set(won[1:])
    assert not failed(after)[won[1:]].any()
    assert failed(after)[won[0]]
