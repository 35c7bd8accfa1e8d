"""What holds for every input: keys, boxes, folds, label maps, tables, the queue, the URL. Hypothesis looks for the one
that breaks it."""

import csv
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from PIL import Image
from streamlit.testing.v1 import AppTest
from worker_case import config as run_config
from worker_case import result

from fer_core.config.run import (
    CLASSES,
    DataConfig,
    FacesConfig,
    ProtocolConfig,
    RunConfig,
    TrainingConfig,
    TransferConfig,
    parse,
)
from fer_core.datasets.open import open_dataset
from fer_core.datasets.readers.meanings.labels import LABEL_MAPS, label_map, meaning
from fer_core.errors import DataError, LeaseLost
from fer_core.evaluation.protocols import PROTOCOLS, draw, leakage
from fer_core.faces.crops import Chosen, clipped, cut, overlaps
from fer_core.runs.jobs import held_run
from fer_core.runs.jobs.queue import Claim, cancel, claim, retry, submit
from fer_core.storage.store import Store

settings.register_profile(
    "suite", max_examples=25, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
settings.load_profile("suite")

#: A picture of one pixel.
PIXEL = io.BytesIO()
Image.new("RGB", (1, 1)).save(PIXEL, "PNG")
SIDE = st.floats(0, 400, width=32)
TRAINING = st.builds(
    TrainingConfig,
    epochs=st.integers(1, 200),
    batch_size=st.integers(2, 256),
    label_smoothing=st.floats(0, 0.5),
)
RUNS = st.builds(
    RunConfig,
    data=st.just(DataConfig(fingerprint="0" * 16)),
    faces=st.builds(FacesConfig, margin=st.integers(0, 60), choice=st.sampled_from(["best", "largest"])),
    model=st.builds(TransferConfig, unfreeze=st.integers(1, 3)),
    protocol=st.builds(
        ProtocolConfig,
        name=st.sampled_from(["stratified", "group", "clip"]),
        folds=st.integers(2, 10),
        seeds=st.lists(st.integers(0, 99), min_size=1, max_size=4, unique=True).map(tuple),
    ),
    training=TRAINING,
)


def shuffled(values: Any) -> Any:
    """Return plain values with every mapping turned round."""
    if isinstance(values, dict):
        return {name: shuffled(value) for name, value in reversed(values.items())}
    return values


@given(RUNS, RUNS)
def test_a_key_is_the_definitions_and_no_other_ones(one: RunConfig, other: RunConfig) -> None:
    again = parse(RunConfig, shuffled(one.model_dump(mode="json")))
    assert again.key() == one.key()
    assert again.crops_key() == one.crops_key()
    assert (one.key() == other.key()) == (one.hashed() == other.hashed())
    assert (one.crops_key() == other.crops_key()) == (one.faces.hashed() == other.faces.hashed())


@given(
    st.tuples(SIDE, SIDE, SIDE, SIDE),
    st.integers(1, 120),
    st.integers(1, 90),
    st.integers(0, 80),
    st.booleans(),
)
def test_a_crop_is_whole_and_of_pixels_that_are_there(
    corners: tuple[float, ...], width: int, height: int, margin: int, square: bool
) -> None:
    box = (min(corners[0::2]), min(corners[1::2]), max(corners[0::2]), max(corners[1::2]))
    config = FacesConfig(margin=margin, square=square)
    left, top, right, bottom = clipped(box, (width, height), config)
    assert 0 <= left < right <= width
    assert 0 <= top < bottom <= height
    image = np.random.default_rng(0).integers(10, 200, (height, width, 3)).astype(np.uint8)
    crop = cut(image, Chosen("found", box), config)
    assert crop.shape == (config.size, config.size, 3)
    assert image.min() <= crop.min()
    assert crop.max() <= image.max()


@given(st.lists(st.tuples(SIDE, SIDE, SIDE, SIDE), min_size=1, max_size=6))
def test_overlap_is_a_share_and_of_a_box_with_itself_all(corners: list[tuple[float, ...]]) -> None:
    values = np.array(corners, np.float64)
    near, far = np.minimum(values[:, :2], values[:, 2:]), np.maximum(values[:, :2], values[:, 2:])
    assume((far - near > 0.01).all())
    boxes = np.concatenate([near, far], axis=1)
    found = overlaps(boxes, boxes)
    assert ((found >= 0) & (found <= 1 + 1e-9)).all()
    np.testing.assert_allclose(np.diag(found), 1)
    np.testing.assert_allclose(found, found.T)


@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 8), st.integers(0, 3)), min_size=30, max_size=90),
    st.sampled_from(["stratified", "group", "clip"]),
    st.integers(2, 5),
    st.integers(0, 50),
)
def test_folds_test_every_image_once_and_split_no_group(
    images: list[tuple[int, int, int]], name: str, folds: int, seed: int
) -> None:
    labels = np.array([label for label, *_ in images])
    groups = [f"film {group}" for _, group, _ in images]
    clips = [f"film {group} shot {clip}" for _, group, clip in images]
    config = ProtocolConfig(name=name, folds=folds, seeds=(seed, seed + 1))
    try:
        drawn = draw(config, labels, groups, clips, [None] * len(images))
    except DataError:
        assume(False)
    for own in (seed, seed + 1):
        tested = np.concatenate([fold.validation for fold in drawn if fold.seed == own])
        assert sorted(tested) == list(range(len(images)))
    for fold in drawn:
        assert not np.intersect1d(fold.train, fold.validation).size
        assert not set(labels[fold.validation]) - set(labels[fold.train])
    shares = leakage(drawn, groups, clips)
    assert shares["image"] == 0
    if not PROTOCOLS[name].leaks:
        assert shares["group"] == 0
    if name == "clip":
        assert shares["clip"] == 0


@given(st.dictionaries(st.integers(-5, 300).map(str), st.sampled_from([*CLASSES, "contempt"]), min_size=1))
def test_a_label_map_says_what_was_declared_and_nothing_else(pairs: dict[str, str]) -> None:
    declared = label_map(",".join(f"{label}={name}" for label, name in pairs.items()))
    assert declared is not None
    for label, name in pairs.items():
        expected = CLASSES.index(name) if name in CLASSES else str
        found = meaning(label, declared)
        assert found == expected or (expected is str and isinstance(found, str))
    assert isinstance(meaning("301", declared), str)
    assert meaning(CLASSES[2].upper(), declared) == 2
    assert label_map(",".join(f"{label}={name}" for label, name in declared.meanings.items())) is not None


@given(st.sampled_from(sorted(LABEL_MAPS)), st.integers(-3, 12))
def test_a_bare_number_never_means_anything_by_itself(name: str, number: int) -> None:
    assert isinstance(meaning(str(number)), str)
    found = meaning(str(number), label_map(name))
    assert isinstance(found, str) or 0 <= found < len(CLASSES)


@given(
    st.lists(
        st.tuples(
            st.text(st.characters(codec="utf-8", exclude_characters="\0\r\n/"), min_size=1, max_size=12),
            st.sampled_from([*CLASSES, "joy", "", "?"]),
            st.sampled_from(["", "Anna", "anna ", "nan", "?"]),
        ),
        min_size=1,
        max_size=12,
    ),
    st.sampled_from([",", ";", "\t"]),
)
def test_of_each_row_of_a_table_becomes_a_sample_or_a_reason(
    rows: list[tuple[str, str, str]], separator: str
) -> None:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=separator, lineterminator="\n")
    writer.writerows([("path", "label", "person"), *((f"{name}.png", *rest) for name, *rest in rows)])
    place = Path(CASE.mktemp("table")) / "labels.csv"
    place.write_text(text.getvalue(), encoding="utf-8")
    for name, *_ in rows:
        (place.parent / f"{name}.png").write_bytes(PIXEL.getvalue())
    try:
        found = open_dataset(place)
    except DataError:  # no row can be used
        return
    names = {f"{name}.png" for name, *_ in rows}
    event(f"{len(found.samples)} samples")
    known = [sample for sample in found.samples if sample.group]
    assert len(found.samples) <= len(rows)
    assert {sample.group.casefold() for sample in known} <= {"anna"}
    assert all(sample.path.name in names for sample in found.samples)
    assert len({sample.name for sample in found.samples}) == len(found.samples)


class _Place:
    """Temporary folders for properties, which take no fixtures of a function."""

    factory: pytest.TempPathFactory

    def mktemp(self, name: str) -> Path:
        """Return a new one."""
        return self.factory.mktemp(name)


CASE = _Place()


@pytest.fixture(autouse=True, scope="module")
def _place(tmp_path_factory: pytest.TempPathFactory) -> None:
    CASE.factory = tmp_path_factory


class Queue(RuleBasedStateMachine):
    """Workers, users and lapsing leases at one queue, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.store = Store(CASE.mktemp("queue") / "fer.sqlite")
        self.ids: list[str] = []
        self.held: dict[str, Claim] = {}

    def teardown(self) -> None:
        """Close the database."""
        self.store.close()

    @rule(number=st.integers(0, 4))
    def submits(self, number: int) -> None:
        """Submit a run, new or not."""
        run_id, new = submit(self.store, run_config(number))
        assert not new or self.store.run(run_id).status == "queued"
        self.ids += [] if run_id in self.ids else [run_id]

    @rule(owner=st.sampled_from("abc"), lease=st.sampled_from([-1.0, 60.0]))
    def claims(self, owner: str, lease: float) -> None:
        """Claim what waits, sometimes with a lease that has run out already."""
        waiting = {run.id for run in self.store.runs(status=["queued"])}
        taken = claim(self.store, owner, lease_seconds=lease)
        assert not (waiting and taken is None)
        if taken is not None:
            assert taken.run_id not in self.held or self.held[taken.run_id].lease_seconds < 0
            self.held[taken.run_id] = taken

    @rule(index=st.integers(0, 4), done=st.booleans())
    def retries_or_cancels(self, index: int, done: bool) -> None:
        """Cancel a run, or start an ended one again."""
        if index < len(self.ids):
            (retry if done else cancel)(self.store, self.ids[index])

    @rule(index=st.integers(0, 4), how=st.sampled_from(["finish", "failed", "cancelled", "released", "lost"]))
    def ends(self, index: int, how: Any) -> None:
        """End an attempt; one that was taken over can write nothing."""
        held = [*self.held.values()]
        if index >= len(held):
            return
        own = held[index]
        before = self.store.run(own.run_id)
        try:
            if how == "finish":
                held_run.finish(self.store, own, result(), 1.0)
            else:
                held_run.end(self.store, own, how, 1.0, error="because")
        except LeaseLost:
            assert self.store.run(own.run_id) == before
        else:
            del self.held[own.run_id]

    @invariant()
    def each_run_is_there_once(self) -> None:
        """No run is lost or doubled, and a done one has its predictions."""
        runs = self.store.runs()
        assert sorted(run.id for run in runs) == sorted(self.ids)
        for run in runs:
            if run.status == "done":
                assert len(self.store.predictions(run.id)) == 1


Queue.TestCase.settings = settings(max_examples=6, stateful_step_count=40, deadline=None, derandomize=True)
TestQueue = Queue.TestCase


def linked_page() -> None:
    """Draw a choice and a number that a link may name."""
    import streamlit as st

    from fer_core.ui.parts.url import in_range, notices, one_of

    with notices():
        st.selectbox("Colour", index=0, **one_of("colour", ["Red", "Green"]))
        st.slider("Size", value=5, **in_range("size", 1, 9))


@settings(max_examples=8)
@given(st.text(max_size=12), st.text(max_size=6) | st.integers(-3, 12).map(str))
def test_no_link_breaks_a_page(colour: str, size: str) -> None:
    app = AppTest.from_function(linked_page, default_timeout=30)
    app.query_params["colour"], app.query_params["size"] = colour, size
    app.run()
    assert not app.exception
    assert app.selectbox[0].value in ("Red", "Green")
    assert 1 <= app.slider[0].value <= 9
