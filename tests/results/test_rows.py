"""What tells runs apart: named fields, titles that differ, and a name that people gave."""

import pytest

from fer_core.config.reading import Reading
from fer_core.config.run import (
    DataConfig,
    FacesConfig,
    ProtocolConfig,
    RunConfig,
    TrainingConfig,
    TransferConfig,
)
from fer_core.results.rows import differences, names, title
from fer_core.runs.jobs.queue import submit
from fer_core.storage.store import Store

DATA = DataConfig(fingerprint="0" * 16)


def test_only_what_differs_is_named_with_both_values() -> None:
    one = RunConfig(data=DATA, protocol=ProtocolConfig(seeds=(1,)))
    other = RunConfig(
        data=DataConfig(fingerprint="0" * 16, source="/elsewhere", name="x"),
        protocol=ProtocolConfig(seeds=(1, 2)),
        faces=FacesConfig(rescue=("stretch", "light")),
        training=TrainingConfig(lr=0.01),
    )
    assert differences(one, other) == [
        ("second looks", "none", "stretch light"),
        ("seeds", "1", "1 2"),
        ("learning rate", "0.001", "0.01"),
    ]
    assert not differences(one, one)


def test_a_field_that_only_one_kind_of_model_has_is_missing_in_the_other() -> None:
    from fer_core.config.comparators import SvmConfig

    found = differences(RunConfig(data=DATA), RunConfig(data=DATA, model=SvmConfig()))
    assert ("n", "1", "–") in found
    assert ("kind", "transfer", "svm") in found


@pytest.mark.parametrize("called", ["", "My best"])
def test_titles_that_are_alike_say_what_is_not(store: Store, called: str) -> None:
    named = FacesConfig(thresholds=(0.6, 0.7, 0.9), name="Strict")
    configs = [
        RunConfig(data=DATA),
        RunConfig(data=DATA, faces=named),
        RunConfig(data=DATA, model=TransferConfig(unfreeze=2)),
        RunConfig(data=DATA, protocol=ProtocolConfig(name="group")),
    ]
    ids = [submit(store, config)[0] for config in configs]
    if called:
        store.describe(ids[1], name=called)
    runs = store.runs()
    found, plain = names(runs), {run.id: title(run) for run in runs}
    assert plain[ids[0]] == plain[ids[1]] == plain[ids[3]]
    assert found[ids[2]] == plain[ids[2]], "no other has this title"
    if called:
        assert found[ids[1]] == called
        assert found[ids[0]] == plain[ids[0]], "what differs from the other is a column of its own"
    else:
        assert found[ids[1]].startswith(f"{plain[ids[1]]}, ")
        assert "detection Strict" in found[ids[1]]
        assert "detection thresholds 0.6 0.7 0.7" in found[ids[0]]


def test_frames_that_are_left_out_are_counted_in_titles_and_told_apart(store: Store) -> None:
    fewer = [
        DataConfig(fingerprint=digit * 16, of="0" * 16, reading=Reading(exclude=(name,)))
        for digit, name in (("1", "a.png"), ("2", "b.png"))
    ]
    ids = [submit(store, RunConfig(data=data))[0] for data in (DATA, *fewer)]
    found = names(store.runs(data=DATA.fingerprint))
    assert "excluded" not in found[ids[0]]
    assert all("1 frame excluded" in found[key] for key in ids[1:])
    assert found[ids[1]] != found[ids[2]]
    [(what, one, other)] = differences(*(RunConfig(data=data) for data in fewer))
    assert what == "frames excluded"
    assert one != other
