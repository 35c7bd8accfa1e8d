import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy.stats import chi2_contingency

from fer_core import ROOT
from fer_core.config.run import CLASSES
from fer_core.datasets.generated import frames
from fer_core.datasets.generated.frames import HARD_KINDS, GeneratedConfig, generate, render_frame, truth_of
from fer_core.datasets.generated.movie_plan import plan
from fer_core.errors import DataError

TINY = GeneratedConfig(ordinary=14, hard=6, movies=4, width=360, height=288)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return generate(TINY, tmp_path_factory.mktemp("set") / "faces", workers=2)


@pytest.fixture(scope="module")
def truth(folder: Path) -> pd.DataFrame:
    return truth_of(folder)


def test_a_frame_follows_from_the_seed_alone(folder: Path) -> None:
    for index in (15, 3, 0):  # drawn in order by two other processes
        image, truth = render_frame(TINY, index)
        assert (image.shape, image.dtype) == ((288, 360, 3), np.uint8)
        assert np.array_equal(np.asarray(Image.open(folder / truth["path"])), image)
    assert not np.array_equal(render_frame(TINY.model_copy(update={"seed": 1}), 0)[0], image)


def test_the_key_changes_with_every_setting_and_wrong_ones_are_refused() -> None:
    assert GeneratedConfig().key() == "3f3433bdb57346ba"
    changed = [TINY.model_copy(update={name: value + 1}) for name, value in TINY]
    assert len({TINY.key(), *(config.key() for config in changed)}) == 7
    for wrong in ({"seed": -1}, {"ordinary": 6}, {"hard": -1}, {"movies": 1}, {"width": 10}):
        with pytest.raises(ValueError, match="should be"):
            GeneratedConfig(**wrong)


def test_counts_names_and_kinds(folder: Path, truth: pd.DataFrame) -> None:
    ordinary = truth[truth.kind == "ordinary"]
    assert ordinary.label.value_counts().to_dict() == dict.fromkeys(CLASSES, 2)
    assert sorted(truth.kind[truth.kind != "ordinary"]) == sorted(HARD_KINDS)
    assert truth.path.is_unique
    for row in truth.itertuples():
        match = re.fullmatch(r"([a-z]+)/(Synthetic[A-Za-z]+)_(\d{8}0)_(\d{8})\.png", row.path)
        assert match, row.path
        assert match[1] == row.label
        assert match[2] == row.group
        assert f"{match[2]}_{match[3]}" == row.clip
        assert row.person.startswith(row.group)
        with Image.open(folder / row.path) as image:
            assert image.size == (360, 288)
            assert "not a photograph" in image.info["Comment"]
    assert sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*.png")) == sorted(truth.path)
    assert "synthetic" in (folder / "SYNTHETIC.txt").read_text()


def test_box_and_landmarks_lie_on_the_face(truth: pd.DataFrame) -> None:
    seen = truth[truth.faces > 0]
    assert set(truth.kind[truth.faces == 0]) == {"hard-nobody"}
    assert set(truth.kind[truth.faces == 2]) == {"hard-two"}
    assert truth[truth.faces == 0][["x1", "nose_x", "au12"]].isna().all().all()
    for row in seen.itertuples():
        assert -20 < row.x1 < row.x2 < 380
        assert -20 < row.y1 < row.y2 < 308
        assert row.left_eye_y < row.mouth_left_y
        assert row.right_eye_y < row.mouth_right_y
        if row.kind == "hard-profile":
            continue
        for name in frames.LANDMARKS:
            assert row.x1 < getattr(row, f"{name}_x") < row.x2, (row.path, name)
            assert row.y1 < getattr(row, f"{name}_y") < row.y2, (row.path, name)
        assert row.left_eye_x < row.nose_x < row.right_eye_x
        assert row.mouth_left_x < row.mouth_right_x


def test_landmarks_point_at_dark_eyes() -> None:
    for index in range(0, 14, 3):
        image, truth = render_frame(TINY.model_copy(update={"width": 720, "height": 576}), index)
        grey = image.mean(axis=2)
        x1, y1, x2, y2 = (round(truth[name]) for name in ("x1", "y1", "x2", "y2"))
        face = grey[max(0, y1) : y2, max(0, x1) : x2]
        for x, y in [
            (round(truth[f"{side}_eye_x"]), round(truth[f"{side}_eye_y"])) for side in ("left", "right")
        ]:
            assert grey[y - 4 : y + 5, x - 4 : x + 5].min() < np.median(face)


def test_action_units_follow_the_class() -> None:
    by_class = defaultdict(list)
    config = GeneratedConfig(ordinary=140, hard=0, width=160, height=128)
    for index in range(0, 140, 5):
        truth = render_frame(config, index)[1]
        by_class[truth["label"]].append(truth)
    for unit, label in (("au12", "happy"), ("au26", "surprise"), ("au09", "disgust")):
        assert max(CLASSES, key=lambda c: np.mean([one[unit] for one in by_class[c]])) == label


def test_clips_movies_and_classes_are_laid_out_as_in_a_film_set() -> None:
    config = GeneratedConfig()
    shots = [shot for shot in plan(config) if shot.kind == "ordinary"]
    assert len(plan(config)) == 480
    assert len({shot.path for shot in plan(config)}) == 480
    clips, movies = defaultdict(list), defaultdict(list)
    for shot in shots:
        clips[shot.clip_name].append(shot)
        movies[shot.movie].append(shot.label)
    assert all(2 <= len(clip) <= 4 for clip in clips.values())
    assert all(len({(s.label, s.slot) for s in clip}) == 1 for clip in clips.values())
    clip_counts = np.zeros((len(CLASSES), config.movies))
    for clip in clips.values():
        clip_counts[CLASSES.index(clip[0].label), clip[0].movie] += 1
    assert [sum(labels.count(label) for labels in movies.values()) for label in CLASSES] == [60] * 7
    assert (clip_counts > 0).sum(axis=1).min() >= 6, "a class must reach enough movies for folds by movie"
    assert chi2_contingency(clip_counts).pvalue < 0.01, "and be spread unevenly among them"


def test_progress_ends_at_the_total_and_a_second_call_answers_from_disk(tmp_path: Path) -> None:
    calls: list[tuple[int, int]] = []
    small = TINY.model_copy(update={"ordinary": 7, "hard": 0})
    folder = generate(small, tmp_path / "set", workers=1, progress=lambda *c: calls.append(c))
    assert calls[-1] == (7, 7)
    assert calls == sorted(calls)
    drawn = {path: path.stat().st_mtime_ns for path in folder.rglob("*.png")}
    calls.clear()
    assert generate(small, folder, workers=1, progress=lambda *c: calls.append(c)) == folder
    assert calls == [(7, 7)]
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*.png")} == drawn


def test_a_killed_drawing_looks_unfinished_and_continues_after_its_last_frame(tmp_path: Path) -> None:
    small, home = TINY.model_copy(update={"ordinary": 7, "hard": 0}), tmp_path / "set"
    code = (
        "import os, pathlib; from fer_core.datasets.generated.frames import *;"
        f"generate({small!r}, pathlib.Path({str(home)!r}), workers=1, progress=lambda n, _: n == 4 and os._exit(9))"
    )
    killed = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False)
    assert killed.returncode == 9
    assert not home.exists()
    [table] = tmp_path.glob(".set.*.part/frames.csv")
    first = sorted(table.parent.rglob("*.png"))
    assert len(first) == 4
    written = {path.name: path.stat().st_mtime_ns for path in first}
    table.write_bytes(table.read_bytes() + b"happy/cut off")
    calls: list[tuple[int, int]] = []
    generate(small, home, workers=1, progress=lambda *c: calls.append(c))
    assert calls[0] == (5, 7)
    assert {path.name: path.stat().st_mtime_ns for path in home.rglob("*.png")}.items() >= written.items()
    assert not list(tmp_path.glob(".*.part"))
    whole = generate(small, tmp_path / "whole", workers=1)
    assert (home / "frames.csv").read_bytes() == (whole / "frames.csv").read_bytes()


def test_a_set_with_a_lost_frame_or_another_key_is_made_again(tmp_path: Path) -> None:
    small = TINY.model_copy(update={"ordinary": 7, "hard": 0})
    home = generate(small, tmp_path / "set", workers=1)
    next(home.rglob("*.png")).unlink()
    generate(small, home, workers=1)
    assert len(list(home.rglob("*.png"))) == 7
    generate(small.model_copy(update={"seed": 3}), home, workers=1)
    assert small.model_copy(update={"seed": 3}).key() in (home / "SYNTHETIC.txt").read_text()
    assert not list(tmp_path.glob(".*.part"))


def test_a_folder_of_other_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(DataError, match="folder for itself"):
        generate(TINY, tmp_path, workers=1)
    assert (tmp_path / "notes.txt").read_text() == "mine"
    with pytest.raises(DataError, match=r"frames\.csv"):
        truth_of(tmp_path)
