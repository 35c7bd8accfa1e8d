"""Why a face was lost, from measures of frames whose cause is known."""

import numpy as np
import pytest

from benchmarks.parts.hard_frames import lost
from fer_core.faces.explanation import CAUSES, cause


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
