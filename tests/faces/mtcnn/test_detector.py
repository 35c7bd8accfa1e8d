"""The detector against facenet-pytorch's, image by image, and what its trace says."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from facenet_pytorch import MTCNN as Reference
from facenet_pytorch.models.mtcnn import ONet, RNet
from PIL import Image
from safetensors.torch import save_file
from torch import nn
from torch.nn.functional import interpolate

from fer_core import ROOT
from fer_core.errors import DataError, WeightsError
from fer_core.faces.crops import Faces, overlaps
from fer_core.faces.mtcnn.detector import MTCNN
from fer_core.faces.mtcnn.pyramid import IntegralImages
from fer_core.faces.mtcnn.trace import Fate

PHOTOS = ROOT.parent / "shared" / "data" / "london_faces"
SMILE = "happy/001_08.jpg"


@pytest.fixture(scope="module")
def reference() -> Reference:
    return Reference(keep_all=True)


@pytest.fixture(scope="module")
def detector() -> MTCNN:
    return MTCNN()


def photo(name: str = SMILE, side: int = 120) -> Image.Image:
    path = PHOTOS / name
    if not path.exists():
        pytest.skip("the real photos (shared/data/london_faces) are not on this machine")
    return Image.open(path).convert("RGB").resize((side, side), Image.Resampling.BILINEAR)


def noise(width: int, height: int) -> Image.Image:
    pixels = np.random.default_rng(0).integers(0, 256, (height // 8, width // 8, 3)).astype(np.uint8)
    return Image.fromarray(pixels).resize((width, height))


def at_the_border() -> Image.Image:
    image = noise(200, 160)
    image.paste(photo(), (-45, 20))
    image.paste(photo("neutral/002_03.jpg"), (120, 80))
    return image


def several() -> Image.Image:
    image = noise(320, 200)
    image.paste(photo("neutral/003_03.jpg", 90), (210, 100))
    image.paste(photo(), (20, 30))
    image.paste(photo("happy/004_08.jpg", 60), (160, 10))
    return image


CASES: dict[str, Callable[[], Image.Image]] = {
    "one face": lambda: photo(side=180),
    "several faces": several,
    "cut by the border": at_the_border,
    "no face": lambda: noise(160, 120),
    "flat": lambda: Image.new("RGB", (90, 70), (255, 255, 255)),
    "short side of 20 px": lambda: photo().resize((31, 20)),
    "20 px square": lambda: photo(side=20),
    "odd sides": lambda: photo().resize((131, 97)),
    "enlarged": lambda: photo().crop((30, 30, 90, 90)).resize((300, 260)),
}


def detect(detector: MTCNN, *images: Image.Image) -> list[Faces]:
    return detector.detect([np.asarray(image.convert("RGB")) for image in images])


def assert_equal(found: Faces, image: Image.Image, reference: Reference) -> None:
    boxes, probabilities, landmarks = reference.detect(image.convert("RGB"), landmarks=True)
    if boxes is None:
        assert len(found) == 0
        return
    assert found.boxes.shape == boxes.shape
    assert overlaps(found.boxes.astype(float), boxes.astype(float)).diagonal().min() >= 0.99999
    assert np.abs(found.landmarks - landmarks).max() < 0.01
    np.testing.assert_allclose(found.probabilities, probabilities.astype(float), atol=1e-5)


@pytest.mark.parametrize("case", CASES)
def test_equals_facenet(case: str, detector: MTCNN, reference: Reference):
    image = CASES[case]()
    [found] = detect(detector, image)
    assert_equal(found, image, reference)
    expected = {"one face": 1, "several faces": 3, "cut by the border": 2, "no face": 0, "flat": 0}
    assert len(found) == expected.get(case, len(found))


def test_equals_facenet_on_generated_frames(generated: Path, detector: MTCNN, reference: Reference):
    images = [Image.open(path) for path in sorted(generated.glob("*/*.png"))[::4]]
    found = detect(detector, *images)
    for detection, image in zip(found, images, strict=True):
        assert_equal(detection, image, reference)
    assert sum(map(len, found)) > 0


def test_equals_facenet_with_other_settings(reference: Reference):
    settings = {"thresholds": (0.4, 0.5, 0.3), "min_face_size": 31, "factor": 0.8}
    [found] = detect(MTCNN(**settings), several())
    assert_equal(found, several(), Reference(keep_all=True, **settings))


@pytest.mark.parametrize("case", ["several faces", "odd sides", "no face"])
def test_strips_of_a_level_equal_the_whole(case: str, reference: Reference):
    detector = MTCNN()
    detector.stages.pass_pixels = 1  # the shortest strips there are, and one crop a pass
    [found] = detect(detector, CASES[case]())
    assert_equal(found, CASES[case](), reference)


def test_mixed_sizes_in_one_call_equal_one_by_one(detector: MTCNN):
    images = [np.asarray(case().convert("RGB")) for case in CASES.values()] * 2
    small = MTCNN()
    small.chunk_pixels = 40_000  # several chunks, some of several images
    for together in (detector.detect(images), small.detect(images)):
        assert len(together) == len(images)
        for image, found in zip(images, together, strict=True):
            [alone] = detector.detect([image])
            np.testing.assert_allclose(found.boxes, alone.boxes, atol=1e-3)
            np.testing.assert_allclose(found.landmarks, alone.landmarks, atol=1e-3)


def test_a_bound_on_faces_bounds_each_stage_and_keeps_the_most_probable(detector: MTCNN):
    image, bounded = several(), MTCNN(most_faces=1)
    [every], [few], [same] = (
        detect(detector, image),
        detect(bounded, image),
        detect(MTCNN(most_faces=64), image),
    )
    most = {"pnet": 64, "rnet": 16, "onet": 4}
    for name, count in most.items():
        stage, whole = getattr(few.trace, name), getattr(every.trace, name)
        assert len(stage.boxes) <= count < len(whole.boxes)
    assert few.trace is not None
    assert every.trace is not None
    strongest = np.sort(every.trace.pnet.scores)[::-1][: most["pnet"]]
    np.testing.assert_allclose(np.sort(few.trace.pnet.scores)[::-1], strongest, atol=1e-5)
    assert (few.trace.pnet.fates == Fate.KEPT).sum() == len(few.trace.pnet.kept) == len(few.trace.rnet.boxes)
    assert 1 <= len(few) <= len(every)
    assert overlaps(few.boxes, every.boxes).max(axis=1).min() > 0.8
    np.testing.assert_array_equal(same.boxes, every.boxes)


def test_largest_face_first(detector: MTCNN):
    [found] = detect(detector, several())
    side = found.boxes[:, 2:] - found.boxes[:, :2]
    assert (np.diff(side.prod(1)) < 0).all()
    assert found.boxes[0, 0] < 160  # the 120 px paste, at the left


@pytest.mark.parametrize("size", [(19, 300), (300, 19), (1, 1)])
def test_image_smaller_than_the_least_face_gives_none(size: tuple[int, int], detector: MTCNN):
    [found] = detector.detect([np.zeros((*size, 3), np.uint8)])
    assert found.boxes.shape == (0, 4)
    assert found.probabilities.shape == (0,)
    assert found.landmarks.shape == (0, 5, 2)
    assert found.trace is not None
    assert len(found.trace.scales) == 0
    assert found.trace.failure() is None


def test_trace_follows_each_candidate(detector: MTCNN):
    [found] = detect(detector, several())
    trace = found.trace
    assert trace is not None
    for stage, threshold in ((trace.pnet, 0.6), (trace.rnet, 0.7), (trace.onet, 0.7)):
        assert len(stage.boxes) == len(stage.scores) == len(stage.fates)
        assert set(stage.kept) == set(np.flatnonzero(stage.fates == Fate.KEPT))
        assert (stage.scores[stage.kept] >= threshold).all()
        below = stage.fates == Fate.BELOW
        assert (stage.scores[below] <= np.float32(threshold)).all()
        assert sum(stage.count(fate) for fate in Fate) == len(stage.boxes)
    assert len(trace.pnet.kept) == len(trace.rnet.boxes)
    assert len(trace.rnet.kept) == len(trace.onet.boxes)
    np.testing.assert_array_equal(trace.onet.scores[trace.onet.kept], found.probabilities)
    assert trace.pnet.count(Fate.SCALE_NMS) > 0
    assert trace.rnet.count(Fate.BELOW) > 0
    assert trace.failure() is None
    assert len(trace.best) == len(trace.best_boxes) == len(trace.scales)
    for level, best in enumerate(trace.best):
        scores = trace.pnet.scores[trace.pnet.scale == level]
        assert scores.max(initial=0) == best if best >= 0.6 else not len(scores)
    # A cell covers 12 px of its level, counted from the first px, and is rounded to source px.
    sides = (trace.pnet.boxes[:, 2] - trace.pnet.boxes[:, 0]) * trace.scales[trace.pnet.scale]
    np.testing.assert_allclose(sides, 11, atol=trace.scales[0])


def test_trace_tells_suppression_within_a_level_from_that_between_levels():
    [found] = detect(MTCNN(factor=0.9), photo())  # levels close enough for their cells to overlap by 0.7
    assert found.trace is not None
    assert found.trace.pnet.count(Fate.SCALE_NMS) > 0
    assert found.trace.pnet.count(Fate.NMS) > 0


@pytest.mark.parametrize("stage", ["pnet", "rnet", "onet"])
def test_failure_names_the_stage_whose_threshold_killed_the_face(stage: str):
    names = ["pnet", "rnet", "onet"]
    strict = 0.9999999
    thresholds = tuple(strict if name == stage else 0.6 for name in names)
    [found] = detect(MTCNN(thresholds=thresholds), photo(side=48))
    assert len(found) == 0
    assert found.trace is not None
    failure = found.trace.failure()
    assert failure is not None
    assert failure.stage == stage
    assert failure.threshold == strict
    assert 0.6 < failure.score <= strict
    x1, y1, x2, y2 = failure.box
    assert x1 < 24 < x2
    assert y1 < 24 < y2


@pytest.mark.parametrize(
    ("side", "crop"), [(24, (3, 5, 40, 29)), (48, (0, 0, 17, 60)), (24, (10, 10, 34, 34))]
)
def test_crop_equals_torch_area_resize(side: int, crop: tuple[int, int, int, int]):
    frames = [
        torch.from_numpy(np.asarray(noise(64, 80)).copy()),
        torch.from_numpy(np.asarray(noise(48, 64)).copy()),
    ]
    images = IntegralImages(frames)
    for k, frame in enumerate(frames):
        x1, y1, x2, y2 = crop
        pixels = frame.permute(2, 0, 1)[None, :, y1:y2, x1:x2].float()
        expected = interpolate(pixels, size=(side, side), mode="area")
        got = images.crops(np.array([k]), np.array([crop]), side)
        torch.testing.assert_close(got, expected, rtol=0, atol=1e-4)
        whole = interpolate(frame.permute(2, 0, 1)[None].float(), size=(37, 31), mode="area")
        torch.testing.assert_close(
            images.level(k, k + 1, (37, 31)),
            whole,
            rtol=0,
            atol=1e-4,
        )


def test_sums_that_wrap_around_stay_exact():
    height, width = 3000, 3000  # white: 9 Mpx x 255 is beyond int32
    images = IntegralImages([torch.full((height, width, 3), 255, dtype=torch.uint8)])
    assert (images.level(0, 1, (24, 20)) == 255).all()
    corner = np.array([[width - 100, height - 100, width, height]])
    assert (images.crops(np.array([0]), corner, 24) == 255).all()


def test_other_weights_replace_rnet_and_onet_only(tmp_path: Path):
    nets = nn.ModuleDict({"rnet": RNet(), "onet": ONet()})
    state = nets.state_dict()
    state["onet.dense6_1.bias"] = torch.tensor([50.0, -50.0])  # nothing is a face
    save_file(state, tmp_path / "weights.safetensors")
    [found] = detect(MTCNN(weights=tmp_path / "weights.safetensors"), photo())
    assert len(found) == 0
    assert found.trace is not None
    failure = found.trace.failure()
    assert failure is not None
    assert failure.stage == "onet"


def test_unusable_weights_are_named(tmp_path: Path):
    save_file({"rnet.conv1.weight": torch.zeros(1)}, tmp_path / "weights.safetensors")
    with pytest.raises(WeightsError, match=r"weights\.safetensors"):
        MTCNN(weights=tmp_path / "weights.safetensors")


@pytest.mark.parametrize("image", [np.zeros((40, 40), np.uint8), np.zeros((40, 40, 3), np.float32)])
def test_images_of_other_kinds_are_refused(image: np.ndarray, detector: MTCNN):
    with pytest.raises(DataError, match="uint8"):
        detector.detect([image])
