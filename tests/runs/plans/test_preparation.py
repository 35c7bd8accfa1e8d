"""The run that makes the generated set: it is drawn first, and what is found is kept under what it is."""

import csv
from pathlib import Path

from PIL import Image
from report_case import Recorder

from fer_core.config import settings as settings_module
from fer_core.datasets.fingerprint import data_config
from fer_core.datasets.generated.movie_plan import GeneratedConfig, demo_folder, plan
from fer_core.datasets.open import open_dataset
from fer_core.datasets.readers.generated import MANIFEST, MARK
from fer_core.runs.pipeline.run import execute
from fer_core.runs.plans.preparation import PREPARATION, drawn, prepared
from fer_core.storage.shared_artifacts import artifacts_of


def stand_in(root: Path) -> None:
    """Write a set that counts as drawn: all its names, each a small gray picture."""
    folder, shots = demo_folder(root), plan(GeneratedConfig())
    (folder).mkdir(parents=True)
    with (folder / MANIFEST).open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["path", "label", "group", "clip"])
        for shot in shots:
            table.writerow([shot.path, shot.label, str(shot.movie), shot.clip_name])
            (folder / shot.path).parent.mkdir(exist_ok=True)
            Image.new("RGB", (12, 12), "gray").save(folder / shot.path)
    (folder / MARK).write_text(f"key: {GeneratedConfig().key()}\n")


def test_the_preparation_keeps_faces_where_a_run_on_the_drawn_set_finds_them(tmp_path: Path) -> None:
    settings = settings_module.load(home=tmp_path, device="cpu")
    assert not drawn(settings)
    stand_in(settings.demo_data)
    assert drawn(settings)
    result = execute(PREPARATION, Recorder(), settings)
    assert result.summary["statuses"] == {"none": PREPARATION.data.images}
    data = data_config(open_dataset("demo", demo_root=settings.demo_data))
    assert data.fingerprint != PREPARATION.data.fingerprint
    later = PREPARATION.model_copy(update={"data": data})
    assert artifacts_of(settings).has("crops", later.crops_key())
    assert prepared(data.fingerprint).crops_key() == later.crops_key()
    next(demo_folder(settings.demo_data).rglob("*.png")).unlink()
    assert not drawn(settings)
