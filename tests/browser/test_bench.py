"""The bench of the Faces page: a slider is moved and failed frames are tried; nothing is kept unasked."""

import re
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import torch
from dashboards import Server, quiet
from faces_case import keep_run
from playwright.sync_api import Page, expect

from fer_core.config.run import FacesConfig, RunConfig
from fer_core.config.settings import load
from fer_core.datasets.fingerprint import data_config
from fer_core.datasets.open import open_dataset
from fer_core.faces.crops_artifact import ensure_crops
from fer_core.faces.extraction import read_crops, read_detections, write_detections
from fer_core.faces.finding import detectors
from fer_core.faces.trial import attempt, pick
from fer_core.runs.pipeline.engine import LOCAL
from fer_core.runs.plans.requests import CHOICE
from fer_core.storage.artifacts import Artifacts

STRICT, LENIENT = (0.6, 0.7, 0.99), (0.6, 0.7, 0.9)


def definition(source: Path, thresholds: tuple[float, float, float]) -> RunConfig:
    faces = FacesConfig(no_face="manual", thresholds=thresholds, choice=CHOICE)
    return RunConfig(goal="faces", data=data_config(open_dataset(str(source))), faces=faces)


@pytest.fixture(scope="module")
def home(generated: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a state folder in which the generated frames were detected with an O-Net threshold of 0.99."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("home")
    samples, config = open_dataset(str(generated)).samples, definition(generated, STRICT)
    here = load(home=folder, device="cpu", threads=1)
    artifacts = Artifacts(here.artifacts)
    found = artifacts.ensure(
        "detections",
        config.detections_key(),
        {},
        lambda place: write_detections(
            samples, place, lambda todo: LOCAL.detect(todo, config.faces, artifacts, here)
        ),
    )
    ensure_crops(config, samples, artifacts, lambda: read_detections(found))
    keep_run(folder, config)
    return folder


def expected(source: Path, home: Path) -> tuple[pd.DataFrame, int, int]:
    """Return what the lenient threshold changes, and how many frames failed and were found under the strict one."""
    table = read_crops(
        Artifacts(home / "artifacts").open("crops", definition(source, STRICT).crops_key())
    ).table
    before, faces = pick(table, len(table), len(table)), definition(source, LENIENT).faces
    detector_of = detectors(faces, Artifacts(home / "artifacts"), load(device="cpu"))
    changes, _ = attempt(open_dataset(str(source)).samples, before, faces, detector_of)
    failed = int((before["status"] != "found").sum())
    return changes, failed, len(before) - failed


def test_failed_frames_are_tried_and_counted_before_anything_is_kept(
    page: Page, generated: Path, home: Path, server: Callable[..., Server]
) -> None:
    changes, failed, found = expected(generated, home)
    counts = changes["outcome"].value_counts()
    assert counts["won"] > 0  # else the page could show noughts for want of an answer
    name = changes["name"].iloc[int((changes["outcome"] == "won").to_numpy().argmax())]
    artifacts = Artifacts(home / "artifacts")
    kinds = ("detections", "crops")
    there = {kind: artifacts.keys(kind) for kind in kinds}

    lab = server(home, FER_DEVICE="cpu")
    page.goto(lab.at("faces", data=str(generated), frame=name, onet=0.99), wait_until="commit")
    was = page.get_by_text(re.compile(rf"^{len(changes)} frames:")).inner_text()
    page.get_by_role("button", name="Try other settings").click()
    trial = page.get_by_role("button", name=f"Try on all {failed} failed and all {found} found frames")
    expect(trial).to_be_disabled()

    slider = page.get_by_role("slider", name="O-Net")
    slider.focus()
    slider.press("PageDown")  # by a tenth of its range
    expect(page).to_have_url(re.compile("try_onet=0.9(&|$)"))
    expect(page.get_by_text(re.compile("Then: (found|several|low-confidence)"))).to_be_visible()
    quiet(page)
    trial.click()

    def metric(title: str) -> object:
        return expect(page.locator("[data-testid=stMetric]", has_text=title))

    metric("Won").to_contain_text(f"{counts['won']} of {failed}")
    metric("Lost").to_contain_text(f"{counts.get('lost', 0)} of {found}")
    metric("Another face").to_contain_text(f"{counts.get('another face', 0)} of {len(changes)}")
    assert page.get_by_text(re.compile(rf"^{len(changes)} frames:")).inner_text() == was
    assert {kind: artifacts.keys(kind) for kind in kinds} == there

    quiet(page)
    page.get_by_role("button", name="Keep these settings").click()
    expect(page.get_by_text("thresholds 0.6, 0.7, 0.9")).to_be_visible()
    expect(page).to_have_url(re.compile("[?&]onet=0.9(&|$)"))
    expect(page.get_by_text("What the network sees").first).to_be_visible()
