"""Detections by name and key, and the runs that rest on other faces."""

from typing import Any

import pytest

from fer_core.config.recognition import VoteConfig
from fer_core.config.run import DataConfig, FacesConfig, RunConfig, TransferConfig
from fer_core.runs.jobs.queue import submit
from fer_core.runs.plans.detections import (
    STANDARD,
    described,
    detection_key,
    detections,
    free_name,
    named_detections,
    resting,
)
from fer_core.storage.store import Store

DATA = DataConfig(fingerprint="0123456789abcdef")


def like(faces: FacesConfig, **changed: Any) -> FacesConfig:
    return faces.model_copy(update=changed)


def asked(store: Store, faces: FacesConfig, **more: Any) -> str:
    return submit(store, RunConfig(data=DATA, faces=faces, **more))[0]


def test_a_detection_is_known_by_the_name_it_was_asked_for_by_last(store: Store) -> None:
    faces = FacesConfig(rescue=("stretch",))
    for name in ("", "first", "second"):
        asked(store, like(faces, name=name), goal="faces")
    asked(store, faces, goal="faces")
    assert named_detections(store, DATA.fingerprint) == {"second": like(faces, name="second")}
    assert named_detections(store, "f" * 16) == {}


def test_boxes_and_the_policy_for_lost_frames_make_no_other_detection(store: Store) -> None:
    asked(store, like(STANDARD, name="mine"), goal="faces")
    asked(store, like(STANDARD, manual_boxes="b" * 16))
    asked(store, like(STANDARD, no_face="drop"))
    asked(store, like(STANDARD, margin=8))
    asked(store, FacesConfig(extract=False))
    found = detections(store.runs(data=DATA.fingerprint))
    assert {key: faces.name for key, faces in found.items()} == {
        detection_key(STANDARD): "mine",
        detection_key(like(STANDARD, margin=8)): "",
    }


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({}, "standard"),
        ({"no_face": "drop"}, "standard"),
        ({"margin": 8, "rescue": ("stretch", "light")}, "margin 8 · second looks stretch, light"),
        ({"thresholds": (0.6, 0.7, 0.9)}, "thresholds 0.6, 0.7, 0.9"),
        ({"square": True, "detector": "ab" * 8}, "detector ababab · square boxes"),
        ({"choice": "most_probable"}, "most probable face"),
    ],
)
def test_what_is_unlike_the_standard_is_said(changed: dict[str, Any], words: str) -> None:
    assert described(like(STANDARD, **changed)) == words


def test_a_name_that_is_taken_gets_a_number() -> None:
    assert [free_name("a", known) for known in ([], ["a"], ["a", "a 2"])] == ["a", "a 2", "a 3"]


def test_after_a_box_the_runs_of_this_detection_rest_on_other_faces_and_no_others(store: Store) -> None:
    for faces in (STANDARD, like(STANDARD, margin=8), FacesConfig(extract=False)):
        asked(store, faces)
    newer = asked(store, like(STANDARD, manual_boxes="a" * 16))  # after the first box
    deep = asked(store, STANDARD, model=TransferConfig(unfreeze=2))
    votes = [asked(store, STANDARD, model=TransferConfig(unfreeze=n)) for n in (1, 3)]
    asked(store, STANDARD, model=VoteConfig(members=tuple(votes)))
    now = like(STANDARD, manual_boxes="b" * 16)
    found = resting(store.runs(data=DATA.fingerprint), now)
    models = {old.config.transfer.unfreeze: old.id for old, _ in found.values()}
    assert models == {1: newer, 2: deep, 3: votes[1]}
    assert all(new.key() == key and new.faces == now for key, (_, new) in found.items())
    assert not resting(store.runs(ids=[newer]), like(STANDARD, manual_boxes="a" * 16))


def test_a_detection_kept_under_a_name_puts_every_other_into_question(store: Store) -> None:
    run = asked(store, like(STANDARD, margin=8))
    better = like(STANDARD, rescue=("stretch",))
    assert not resting(store.runs(), better)
    [(old, new)] = resting(store.runs(), like(better, name="won back")).values()
    assert (old.id, new.faces.name) == (run, "won back")
