"""Fine-tuning R- and O-Net: what a sample is, the losses, mining, whole movies held out, and the detector's key."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from facenet_pytorch.models.mtcnn import ONet, RNet
from faces_case import Finder
from PIL import Image
from safetensors.torch import load_file

from fer_core.cli.main import main
from fer_core.config.run import DataConfig, FacesConfig, RunConfig
from fer_core.config.settings import load
from fer_core.datasets.base import Dataset, Sample
from fer_core.datasets.fingerprint import data_config
from fer_core.datasets.images import load_rgb
from fer_core.datasets.open import open_dataset
from fer_core.errors import ConfigError, DataError, NotFoundError
from fer_core.faces.crops import overlaps
from fer_core.faces.finding import detectors
from fer_core.faces.finetuning.finetuned import KIND, FineTuneConfig, available, weights_of
from fer_core.faces.finetuning.known_faces import KnownFrame, known_frames, split_by_group
from fer_core.faces.finetuning.samples import NEGATIVE, PART, POSITIVE, SIDES, collect, jitter, match
from fer_core.faces.finetuning.score import score
from fer_core.faces.finetuning.train import fine_tune, hardest, losses
from fer_core.faces.mtcnn.detector import MTCNN
from fer_core.runs.plans.requests import faces_config
from fer_core.storage.artifacts import Artifacts
from fer_core.storage.store import Store

CONFIG = FineTuneConfig(epochs=1, jittered=3, negatives=4, most=4)


@pytest.fixture(scope="module")
def dataset(generated: Path) -> Dataset:
    whole = open_dataset(generated)
    return Dataset("small", str(generated), whole.layout, whole.root, whole.samples[::6], generated=True)


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> Artifacts:
    return Artifacts(tmp_path_factory.mktemp("tuned") / "artifacts")


@pytest.fixture(scope="module")
def key(dataset: Dataset, artifacts: Artifacts) -> str:
    return fine_tune(dataset, data_config(dataset), {}, CONFIG, artifacts)


@pytest.fixture(scope="module")
def seen(dataset: Dataset) -> KnownFrame:
    """Return a frame whose face the pretrained detector finds."""
    detector = MTCNN()
    known = [one for one in known_frames(dataset, {}) if len(one.boxes) and one.complete]
    return next(one for one in known if len(detector.detect([load_rgb(one.sample.path)])[0]))


def frame(
    boxes: list[list[float]], points: float = 0.5, *, complete: bool = True, group: str = ""
) -> KnownFrame:
    """Return a known frame whose landmarks all lie at one share of their box."""
    own = np.array(boxes, np.float32).reshape(-1, 4)
    landmarks = np.repeat((own[:, :2] + points * (own[:, 2:] - own[:, :2]))[:, None], 5, 1)
    sample = Sample(f"{group}-{len(boxes)}.png", Path("none.png"), 0, group=group)
    return KnownFrame(sample, own, landmarks.astype(np.float32), complete)


def test_losses_are_what_plain_loops_give() -> None:
    rng = np.random.default_rng(3)
    n = 24
    kinds = np.array([POSITIVE, NEGATIVE, PART] * 8)
    logits, offsets, points = (rng.normal(size=(n, k)).astype("f4") for k in (2, 4, 10))
    true_offsets, true_points = (rng.normal(size=(n, k)).astype("f4") for k in (4, 10))
    true_points[::4] = np.nan
    found = losses(
        *map(torch.from_numpy, (logits, offsets, points, kinds, true_offsets, true_points)), hardest_share=0.7
    )

    classes, boxes, landmarks = [], [], []
    for i in range(n):
        if kinds[i] != PART:
            a, b = (float(v) for v in logits[i])
            classes.append(math.log(math.exp(a) + math.exp(b)) - (b if kinds[i] == POSITIVE else a))
        if kinds[i] != NEGATIVE:
            boxes += [(float(offsets[i, j]) - float(true_offsets[i, j])) ** 2 for j in range(4)]
            if i % 4:
                landmarks += [(float(points[i, j]) - float(true_points[i, j])) ** 2 for j in range(10)]
    mined = sorted(classes)[-int(0.7 * len(classes)) :]
    expected = [sum(values) / len(values) for values in (mined, boxes, landmarks)]
    assert [float(value) for value in found] == pytest.approx(expected, rel=1e-5)


def test_a_batch_of_parts_alone_has_no_classification_loss_and_still_a_gradient() -> None:
    logits = torch.zeros(2, 2, requires_grad=True)
    offsets = torch.ones(2, 4, requires_grad=True)
    nothing = torch.full((2, 10), torch.nan)
    kinds = torch.tensor([PART, PART])
    classes, boxes, landmarks = losses(
        logits, offsets, torch.zeros(2, 10), kinds, torch.zeros(2, 4), nothing, 0.7
    )
    assert [float(value.detach()) for value in (classes, boxes, landmarks)] == [0.0, 1.0, 0.0]
    (classes + boxes + landmarks).backward()
    assert torch.isfinite(offsets.grad).all()


def test_mining_keeps_the_hardest_and_sends_no_gradient_to_the_rest() -> None:
    values = torch.tensor([0.1, 5.0, 0.3, 2.0, 4.0, 0.2, 1.0, 3.0, 0.4, 0.5])
    assert sorted(hardest(values, 0.7).tolist()) == [1, 3, 4, 6, 7, 8, 9]
    assert hardest(torch.tensor([2.0]), 0.1).tolist() == [0]

    logits = torch.tensor([[4.0, 0.0], [0.0, 4.0], [1.0, 0.0]], requires_grad=True)  # all are no face
    kinds = torch.full((3,), NEGATIVE)
    classes, *_ = losses(logits, torch.zeros(3, 4), None, kinds, torch.zeros(3, 4), torch.zeros(3, 10), 0.7)
    classes.backward()
    assert logits.grad is not None
    assert logits.grad.abs().sum(1).gt(0).tolist() == [False, True, True]


def test_candidates_are_sorted_by_iou_and_their_targets_lead_back_to_the_truth() -> None:
    truth = [100.0, 80.0, 180.0, 170.0]
    rng = np.random.default_rng(0)
    boxes = np.concatenate([jitter(np.array([truth], "f4"), 200, rng), [[0, 0, 40, 40]]]).astype("f4")
    known = frame([truth], 0.3)
    kinds, offsets, points = match(boxes, known, CONFIG)
    seen = set()
    for box, kind, offset, point in zip(boxes.tolist(), kinds, offsets, points, strict=True):
        share = overlaps(np.array([box]), np.array([truth])).item()
        named = POSITIVE if share >= 0.65 else PART if share >= 0.4 else NEGATIVE if share < 0.3 else None
        assert named is None or kind == named
        seen.add(named)
        if named in (POSITIVE, PART):
            side = [box[2] - box[0] + 1, box[3] - box[1] + 1]  # as cascade.output reads the net's answer
            back = [box[j] + offset[j] * side[j % 2] for j in range(4)]
            assert back == pytest.approx(truth, abs=1e-3)
            eye = [box[0] - 1 + point[0] * side[0], box[1] - 1 + point[5] * side[1]]
            assert eye == pytest.approx([124.0, 107.0], abs=1e-3)
    assert seen >= {POSITIVE, PART, NEGATIVE}


def test_an_unlabelled_face_is_not_held_against_the_net(seen: KnownFrame) -> None:
    """What the detector finds in a frame that is not complete is left out, not taken for background."""
    proposer, pretrained = MTCNN(thresholds=(0.4, 0.3, 0.3)), MTCNN()
    many = CONFIG.model_copy(update={"negatives": 10_000, "most": 10_000})
    counts = []
    for complete in (True, False):
        empty = KnownFrame(seen.sample, seen.boxes[:0], seen.landmarks[:0], complete)
        counts.append(collect("rnet", [empty], proposer, pretrained, many, np.random.default_rng(0)).counts())
    assert counts[0]["positive"] == counts[1]["positive"] == 0
    assert 0 < counts[1]["negative"] < counts[0]["negative"]


def test_both_nets_see_background(dataset: Dataset) -> None:
    """R-Net leaves O-Net next to no background on plain frames: without more it would call anything a face."""
    proposer, pretrained = MTCNN(thresholds=(0.4, 0.3, 0.3)), MTCNN()
    known = known_frames(dataset, {})[:4]
    for stage in ("rnet", "onet"):
        made = collect(stage, known, proposer, pretrained, CONFIG, np.random.default_rng(0))  # type: ignore[arg-type]
        assert made.crops.shape[2] == SIDES[stage]  # type: ignore[index]
        most = CONFIG.negatives * len(known)
        assert most / 2 < made.counts()["negative"] <= most
        assert 0 < made.counts()["positive"] <= CONFIG.most * len(known)
        assert made.offsets[made.kinds == NEGATIVE].abs().max() == 0
        assert made.points[made.kinds != NEGATIVE].isfinite().all()


def test_frames_that_cannot_be_read_give_no_samples_and_an_error_says_so() -> None:
    proposer = MTCNN()
    with pytest.raises(DataError, match=r"readable.*got none of 2 frames: -1\.png: no such file"):
        collect("rnet", [frame([[0, 0, 9, 9]])] * 2, proposer, proposer, CONFIG, np.random.default_rng(0))


def test_a_movie_is_on_one_side_only_and_the_seed_chooses() -> None:
    known = [frame([[0, 0, 9, 9]], group=f"movie{i % 7}") for i in range(30)]
    seen = set()
    for seed in range(5):
        training, held = split_by_group(known, 0.3, seed)
        assert len(training) + len(held) == 30
        assert not {one.group for one in training} & {one.group for one in held}
        assert len({one.group for one in held}) == 2
        seen.add(frozenset(one.group for one in held))
    assert len(seen) > 1
    with pytest.raises(DataError, match="movie0"):
        split_by_group(known[::7], 0.3, 0)


def test_hand_drawn_boxes_are_known_without_landmarks(dataset: Dataset) -> None:
    photos = Dataset("photos", "x", "folder", dataset.root, dataset.samples)
    name = photos.samples[2].name
    (known,) = known_frames(photos, {name: (1.0, 2.0, 30.0, 40.0), "gone.png": (0.0, 0.0, 9.0, 9.0)})
    assert known.sample.name == name
    assert known.boxes.tolist() == [[1.0, 2.0, 30.0, 40.0]]
    assert np.isnan(known.landmarks).all()
    assert not known.complete
    with pytest.raises(DataError, match="no hand-drawn box"):
        known_frames(photos, {})


def test_figures_count_won_lost_and_false_faces(tmp_path: Path) -> None:
    face = [10.0, 10.0, 50.0, 50.0]
    away = [200.0, 200.0, 240.0, 240.0]
    # truth, what the first detector finds, what the second one does
    cases = [(face, [], [face]), (face, [face], []), (face, [face], [face]), (face, [away], [away, face])]
    cases += [(None, [], [away]), (None, [], [])]
    known = []
    for i, (truth, _, _) in enumerate(cases):
        made = frame([truth] if truth else [], group=f"movie{i % 2}")
        path = tmp_path / f"{i}.png"
        Image.new("RGB", (40, 40), (i, i, i)).save(path)
        sample = Sample(str(i), path, 0, group=made.group)
        known.append(KnownFrame(sample, made.boxes, made.landmarks, True))

    def finder(column: int) -> Finder:
        return Finder(lambda image: [(box, 0.9) for box in cases[int(image[0, 0, 0])][column]])

    found = score(known, finder(1), finder(2))
    counted = {name: (found[name]["count"], found[name]["of"]) for name in ("won", "lost", "found_after")}
    assert counted == {"won": (2, 2), "lost": (1, 2), "found_after": (3, 4)}
    assert (found["false_before"]["count"], found["false_after"]["count"], found["empty"]) == (0, 1, 2)
    z, p, n = 1.959964, 0.5, 2
    middle, half = (p + z * z / 2 / n), z * math.sqrt(p * (1 - p) / n + z * z / 4 / n / n)
    wilson = [(middle - half) / (1 + z * z / n), (middle + half) / (1 + z * z / n)]
    assert found["lost"]["interval"] == pytest.approx(wilson, abs=1e-5)
    assert found["iou_after"]["mean"] == 1.0
    assert [(found[f"beside_{when}"]["count"], found["faces"]) for when in ("before", "after")] == [
        (1, 4)
    ] * 2


def test_the_artifact_holds_trained_nets_that_the_detector_takes(
    key: str, artifacts: Artifacts, dataset: Dataset
) -> None:
    weights = weights_of(artifacts, key)
    assert weights is not None
    tensors = load_file(weights)
    for name, net in (("rnet", RNet()), ("onet", ONet())):
        own = net.state_dict()
        assert {n.removeprefix(f"{name}.") for n in tensors if n.startswith(name)} == set(own)
        assert not torch.equal(tensors[f"{name}.conv1.weight"], own["conv1.weight"])
    about = artifacts.read_config(KIND, key)
    assert about["data"]["fingerprint"] == data_config(dataset).fingerprint
    assert about["settings"]["seed"] == 0
    assert not set(about["training_groups"]) & set(about["held_out_groups"])
    assert about["figures"]["faces"] + about["figures"]["empty"] == about["figures"]["frames"] > 0
    assert about["figures"]["found_before"]["interval"]
    (one,), damaged = available(artifacts)
    assert one.key == key
    assert "(generated)" in one.label
    assert not damaged


def test_the_same_seed_gives_the_same_weights(
    key: str, artifacts: Artifacts, dataset: Dataset, tmp_path: Path
) -> None:
    again = Artifacts(tmp_path / "again")
    assert fine_tune(dataset, data_config(dataset), {}, CONFIG, again) == key
    first, second = (load_file(weights_of(place, key) or Path()) for place in (artifacts, again))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_a_definition_names_it_and_the_detection_uses_it(
    key: str, artifacts: Artifacts, dataset: Dataset, seen: KnownFrame, store: Store
) -> None:
    data = data_config(dataset)
    faces = faces_config(store, artifacts, data, {"detector": key})
    plain, tuned = (RunConfig(data=data, faces=own) for own in (FacesConfig(), faces))
    assert tuned.detections_key() != plain.detections_key()
    assert tuned.crops_key() != plain.crops_key()

    image = load_rgb(seen.sample.path)
    found = detectors(faces, artifacts, load(device="cpu"))(0.0).detect([image])[0]
    same = MTCNN(weights=weights_of(artifacts, key)).detect([image])[0]
    pretrained = MTCNN().detect([image])[0]
    np.testing.assert_array_equal(found.probabilities, same.probabilities)
    assert not np.array_equal(found.probabilities, pretrained.probabilities)


def test_the_pretrained_detector_stays_the_default(artifacts: Artifacts) -> None:
    config = RunConfig(data=DataConfig(fingerprint="0" * 16))
    assert config.faces.detector == ""
    assert weights_of(artifacts, config.faces.detector) is None
    assert "detector" not in config.faces.hashed()
    old = json.loads(config.model_dump_json())
    del old["faces"]["detector"]  # a run stored before there were fine-tuned detectors
    assert RunConfig.model_validate(old).key() == config.key()


def test_a_key_without_a_detector_is_refused(artifacts: Artifacts, store: Store) -> None:
    data = DataConfig(fingerprint="0" * 16)
    with pytest.raises(NotFoundError, match="ffff"):
        faces_config(store, artifacts, data, {"detector": "f" * 16})
    with pytest.raises(ConfigError):
        faces_config(store, artifacts, data, {"detector": "../x"})


def test_the_command_line_trains_one_and_detects_with_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from fer_core.datasets.generated.frames import GeneratedConfig, generate

    monkeypatch.setenv("FER_DEVICE", "cpu")
    small = GeneratedConfig(seed=2, ordinary=7, hard=0, movies=2, width=320, height=256)
    folder = generate(small, tmp_path / "small", workers=1)
    assert main(["detector", "train", "--data", str(folder), "--epochs", "1", "--json"]) == 0
    reported = json.loads(capsys.readouterr().out)
    assert reported["settings"]["epochs"] == 1
    assert main(["detector", "train", "--data", str(folder), "--epochs", "1"]) == 0
    out = capsys.readouterr().out
    assert "failures won" in out
    assert "say nothing about real faces" in out
    assert main(["faces", "--data", str(folder), "--detector", reported["key"], "--json"]) == 0
    images = json.loads(capsys.readouterr().out)["images"]
    assert len(images) == 7
    weights = tmp_path / "home" / "artifacts" / KIND / reported["key"] / "weights.safetensors"
    tuned = MTCNN(weights=weights).detect([load_rgb(folder / row["path"]) for row in images])
    assert [row["faces"] for row in images] == [len(one) for one in tuned]
    expected = [float(one.probabilities[0]) if len(one) else None for one in tuned]  # the largest comes first
    assert any(expected)
    assert [row["probability"] for row in images] == pytest.approx(expected, abs=1e-6)
    assert main(["faces", "--data", str(folder), "--detector", "f" * 16, "--json"]) == 2
