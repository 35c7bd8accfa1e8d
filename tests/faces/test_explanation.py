"""What a trace says in counts and words, recounted plainly and against the nets' own maps."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from facenet_pytorch.models.mtcnn import PNet

from benchmarks.parts.hard_frames import lost
from fer_core.faces.explanation import CAUSES, cause, counts, levels, lineage, nearest, why
from fer_core.faces.mtcnn.detector import MTCNN
from fer_core.faces.mtcnn.trace import Fate, Stage, StageTrace, Trace


def stage(name: Stage, threshold: float, scores: list[float], fates: list[Fate]) -> StageTrace:
    n = len(scores)
    boxes = np.arange(4 * n, dtype=np.float32).reshape(n, 4)
    boxes[:, 2:] += 20
    kept = np.flatnonzero(np.array(fates, int) == Fate.KEPT)
    scale = np.zeros(n if name == "pnet" else 0, np.uint16)
    return StageTrace(
        name, threshold, boxes, np.array(scores, np.float32), np.array(fates, np.uint8), kept, scale
    )


def trace(
    pnet: list[tuple[float, Fate]], rnet: list[tuple[float, Fate]], onet: list[tuple[float, Fate]]
) -> Trace:
    parts = [
        stage(name, threshold, [score for score, _ in rows], [fate for _, fate in rows])
        for name, threshold, rows in (("pnet", 0.6, pnet), ("rnet", 0.7, rnet), ("onet", 0.7, onet))
    ]
    best = np.array([max([score for score, _ in pnet], default=0.31)], np.float32)
    return Trace(*parts, np.array([0.6]), best, np.array([[10, 10, 30, 30]], np.float32))


KEPT, BELOW, NMS = Fate.KEPT, Fate.BELOW, Fate.NMS


def test_the_sentence_names_stage_score_and_threshold() -> None:
    at_r = trace([(0.9, KEPT), (0.8, KEPT), (0.7, NMS)], [(0.2, BELOW), (0.55, BELOW)], [])
    assert why(at_r, 20, 60) == (
        "R-Net gave the best of 2 candidates 0.55 (22 px wide); it needs 0.70, so O-Net was given nothing."
    )
    at_o = trace([(0.9, KEPT)], [(0.8, KEPT)], [(0.69, BELOW)])
    assert why(at_o, 20, 60).startswith("O-Net gave its only candidate 0.69")
    at_p = trace([], [], [])
    assert why(at_p, 20, 60).startswith("P-Net gave the best place on any of the 1 scales 0.31")


def test_the_sentence_of_a_face_and_of_a_frame_too_small() -> None:
    found = trace([(0.9, KEPT)], [(0.8, KEPT)], [(0.99, KEPT), (0.8, NMS)])
    assert why(found, 20, 60) == "O-Net gave the one face 0.99; it asks for more than 0.70."
    with torch.inference_mode():
        tiny = MTCNN().detect([np.zeros((15, 15, 3), np.uint8)])[0].trace
    assert tiny is not None
    assert "short side of 15 px is below the smallest face searched, 20 px" in why(tiny, 20, 15)
    assert lineage(tiny) == {}


def test_lineage_walks_back_through_what_was_kept() -> None:
    found = trace(
        [(0.7, NMS), (0.8, KEPT), (0.9, KEPT)], [(0.4, BELOW), (0.9, KEPT)], [(0.95, KEPT), (0.8, NMS)]
    )
    assert lineage(found) == {"onet": 0, "rnet": 1, "pnet": 2}
    lost = trace([(0.7, NMS), (0.8, KEPT), (0.9, KEPT)], [(0.6, BELOW), (0.4, BELOW)], [])
    assert lineage(lost) == {"rnet": 0, "pnet": 1}
    assert lineage(trace([], [], [])) == {}


@pytest.mark.parametrize("size", [(60, 80), (97, 61), (21, 300)])
def test_cells_are_those_of_the_net_and_counts_add_up(size: tuple[int, int]) -> None:
    height, width = size
    image = np.random.default_rng(1).integers(0, 256, (height, width, 3)).astype(np.uint8)
    found = MTCNN(thresholds=(0.3, 0.2, 0.2)).detect([image])[0].trace
    assert found is not None
    pyramid = levels(found, width, height)
    net = PNet().eval()
    with torch.inference_mode():
        maps = [net(torch.zeros(1, 3, level.height, level.width))[1] for level in pyramid.itertuples()]
    assert pyramid["cells"].tolist() == [m.shape[2] * m.shape[3] for m in maps]
    assert pyramid["face"][0] == pytest.approx(20)
    seen = counts(found, "pnet", width, height)
    assert seen.seen == pyramid["cells"].sum()
    assert seen.seen - seen.below == pyramid["passed"].sum() == len(found.pnet.boxes)
    assert seen.kept == pyramid["kept"].sum() == len(found.rnet.boxes)
    later = counts(found, "rnet", width, height)
    assert later.seen == len(found.rnet.boxes) == later.below + later.outside + later.suppressed + later.kept


def test_the_candidate_that_lies_on_a_known_face_is_found_and_none_beside_it() -> None:
    boxes = np.array([[0, 0, 40, 40], [100, 100, 150, 150], [105, 95, 160, 155]], np.float32)
    scores, fates = np.array([0.9, 0.2, 0.1], np.float32), np.zeros(3, np.uint8)
    part = StageTrace("rnet", 0.7, boxes, scores, fates, np.zeros(0, np.int64), np.zeros(0, np.uint16))
    assert nearest(part, (106, 96, 161, 156)) == 2
    assert nearest(part, (300, 300, 340, 340)) is None
    assert nearest(replace(part, boxes=boxes[:0]), (0, 0, 40, 40)) is None


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("dark", "dark"),
        ("tinted", "tinted"),
        ("blurred", "blurred"),
        ("turned", "hidden"),
        ("covered", "hidden"),
        ("cut", "hidden"),
    ],
)
def test_a_frame_s_cause_is_said_as_it_was_made(kind: str, said: str) -> None:
    """Two frames a kind; `benchmarks/faces.py` counts many, against a real detector."""
    for index in (3, 4):
        image = lost(kind, np.random.default_rng([21, index])).image
        assert cause(image, proposals=5, enlarged=None, least_face=20).name == said


def test_a_face_that_only_an_enlarged_view_shows_is_small() -> None:
    image = lost("small", np.random.default_rng(2)).image
    assert cause(image, proposals=5, enlarged=9.0, least_face=20).name == "small"
    assert cause(image, proposals=5, enlarged=90.0, least_face=20).name != "small"
    assert cause(image[:16], proposals=0, enlarged=None, least_face=20).name == "small"


def test_a_soft_wall_on_which_nothing_was_proposed_is_not_called_blurred() -> None:
    ramp = np.repeat(np.linspace(60, 180, 200)[None, :, None], 120, 0).repeat(3, 2).astype(np.uint8)
    assert cause(ramp, proposals=0, enlarged=None, least_face=20).name == "hidden"
    assert cause(ramp, proposals=3, enlarged=None, least_face=20).name == "blurred"


def test_every_cause_says_what_helps() -> None:
    assert all(one.why.endswith(".") and one.helps.endswith(".") for one in CAUSES.values())
