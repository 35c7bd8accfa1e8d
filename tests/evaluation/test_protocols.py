"""Folds cover, keep apart and repeat as each protocol promises."""

import numpy as np
import pytest

from fer_core.config.run import ProtocolConfig
from fer_core.errors import DataError
from fer_core.evaluation.protocols import PROTOCOLS, Fold, draw, leakage
from fer_core.evaluation.protocols.by_group import inner_split, most_even_deal

N = 210
RNG = np.random.default_rng(3)
MOVIE = RNG.integers(0, 15, N)
GROUPS = [f"movie{index}" for index in MOVIE]
CLIPS = [f"movie{movie}/{shot}" for movie, shot in zip(MOVIE, RNG.integers(0, 5, N), strict=True)]
LABELS = RNG.permutation(np.arange(N) % 7)
NOTHING = [None] * N


def folds_of(name: str, *, folds: int = 5, seeds: tuple[int, ...] = (0,), **given: object) -> list[Fold]:
    values = {"labels": LABELS, "groups": GROUPS, "clips": CLIPS, "splits": NOTHING} | given
    return draw(ProtocolConfig(name=name, folds=folds, seeds=seeds), **values)


def test_every_name_of_the_config_has_a_protocol() -> None:
    names = ProtocolConfig.model_fields["name"].annotation.__args__
    assert set(PROTOCOLS) == set(names)
    assert all(name == protocol.name and protocol.why for name, protocol in PROTOCOLS.items())
    assert {name for name, protocol in PROTOCOLS.items() if protocol.leaks} == {
        "stratified",
        "clip",
        "reshuffle",
    }


@pytest.mark.parametrize("name", ["stratified", "group", "clip"])
@pytest.mark.parametrize("folds", [2, 5, 7])
def test_k_fold_validates_every_image_once_a_seed(name: str, folds: int) -> None:
    drawn = folds_of(name, folds=folds, seeds=(4, 1))
    assert [(fold.seed, fold.fold) for fold in drawn] == [(s, f) for s in (4, 1) for f in range(folds)]
    for seed in (4, 1):
        times = np.zeros(N, int)
        for fold in drawn:
            if fold.seed == seed:
                times[fold.validation] += 1
                assert sorted([*fold.train, *fold.validation]) == list(range(N))
                assert set(LABELS[fold.train]) == set(range(7))
                if name == "stratified":
                    assert np.ptp(np.bincount(LABELS[fold.validation])) <= 1
        assert (times == 1).all()


@pytest.mark.parametrize(("name", "kept"), [("group", GROUPS), ("clip", CLIPS)])
def test_what_must_not_straddle_does_not(name: str, kept: list[str]) -> None:
    for fold in folds_of(name, seeds=(0, 1, 2)):
        assert not {kept[i] for i in fold.train} & {kept[i] for i in fold.validation}
        assert N / 5 / 2 < len(fold.validation) < N / 5 * 2


@pytest.mark.parametrize("name", ["stratified", "group"])
def test_folds_differ_between_seeds_and_repeat_for_one(name: str) -> None:
    def parts(seed: int, *seeds: int) -> frozenset[frozenset[int]]:
        drawn = folds_of(name, seeds=(*seeds, seed))
        return frozenset(frozenset(fold.validation.tolist()) for fold in drawn if fold.seed == seed)

    assert len({parts(seed) for seed in range(8)}) == 8
    assert parts(3, 5) == parts(3)


def test_of_random_deals_one_of_the_most_even_is_kept() -> None:
    rng, of_class = np.random.default_rng(1), {0: 40, 1: 40, 2: 2}
    table = np.stack([rng.multinomial(size, np.ones(12) / 12) * 1.0 for size in of_class.values()], axis=1)

    def uneven(part: np.ndarray) -> float:
        counts = np.array([[table[part == fold, y].sum() for y in of_class] for fold in (0, 1)])
        if (counts == 0).any():
            return np.inf
        shares = [np.std(counts[:, y] / size) for y, size in of_class.items()]
        return float(np.mean(shares) + np.std(counts.sum(axis=1) / table.sum()))

    random = sorted(uneven(rng.permutation(np.arange(12) % 2)) for _ in range(1000))
    for seed in range(8):
        part = most_even_deal(table, 2, seed)
        assert part is not None
        assert uneven(part) <= random[30]


@pytest.mark.parametrize(
    ("table", "partner"),
    [
        (
            [[28, 3], [12, 3], [21, 1], [19, 1]],
            3,
        ),  # the rare class in halves, though the common one then isn't
        ([[11, 8, 1000], [4, 2, 1000], [2, 5, 1000], [3, 5, 1000]], 1),  # one class uneven rather than two
    ],
)
def test_even_is_the_mean_over_classes_of_each_one_s_shares(table: list[list[int]], partner: int) -> None:
    part = most_even_deal(np.array(table, float), 2, 0)
    assert part is not None
    assert np.flatnonzero(part == part[0]).tolist() == [0, partner]


def test_as_many_groups_as_folds_and_two_of_a_class_are_enough() -> None:
    labels = np.arange(N) % 6
    labels[:2] = 6
    assert len(folds_of("group", labels=labels, groups=[f"m{i % 5}" for i in range(N)])) == 5


def test_images_of_unknown_group_are_dealt_one_by_one() -> None:
    groups = [name if index % 2 else "" for index, name in enumerate(GROUPS)]
    drawn = folds_of("group", groups=groups)
    assert sum(len(fold.validation) for fold in drawn) == N
    assert len({fold.fold for fold in drawn for index in fold.validation if not groups[index]}) == 5


def test_reshuffle_draws_other_parts_each_epoch_and_the_same_again() -> None:
    (fold,) = folds_of("reshuffle", seeds=(7,))
    assert fold.fold == 0
    for epoch in (1, 2, 20):
        train, validation = fold.split(epoch)
        assert len(validation) == N // 5
        assert sorted([*train, *validation]) == list(range(N))
        assert np.array_equal(validation, folds_of("reshuffle", seeds=(7,))[0].split(epoch)[1])
    assert not np.array_equal(fold.split(1)[1], fold.split(2)[1])
    assert np.array_equal(fold.validation, fold.split(1)[1])
    other = folds_of("reshuffle", seeds=(8,))[0]
    assert not np.array_equal(fold.split(1)[1], other.split(1)[1])


def test_reshuffle_never_leaves_a_class_out_of_training() -> None:
    labels, nothing = np.repeat(np.arange(7), 2), [""] * 14
    (fold,) = draw(ProtocolConfig(name="reshuffle", folds=2), labels, nothing, nothing, nothing)
    assert all(set(labels[fold.split(epoch)[0]]) == set(range(7)) for epoch in range(1, 30))
    few = {"labels": np.array([0, 0, 1, 1])} | dict.fromkeys(("groups", "clips", "splits"), nothing[:4])
    assert len(folds_of("reshuffle", **few)[0].validation) == 1


def test_spi_goes_both_ways() -> None:
    splits = ["set1" if index % 3 else "set2" for index in range(N)]
    one, other, *_, last = folds_of("spi", splits=splits, seeds=(4, 2))
    assert (one.seed, one.fold, last.seed, last.fold) == (4, 0, 2, 1)
    assert [splits[i] for i in one.train] == ["set1"] * 140
    assert [splits[i] for i in one.validation] == ["set2"] * 70
    assert np.array_equal(one.train, other.validation)
    assert np.array_equal(one.validation, other.train)


def test_what_was_trained_elsewhere_is_tested_on_every_image() -> None:
    (fold,) = folds_of("unseen", seeds=(3,), labels=np.zeros(N, int))
    assert (fold.seed, fold.fold, len(fold.train)) == (3, 0, 0)
    assert fold.validation.tolist() == list(range(N))


@pytest.mark.parametrize("held", ["validation", "test"])
def test_fixed_reports_on_validation_or_else_on_test(held: str) -> None:
    splits = ["train" if index % 2 else held for index in range(N)]
    if held == "validation":
        splits[:70] = ["test"] * 70
    (fold,) = folds_of("fixed", splits=splits, seeds=(6,))
    assert (fold.seed, fold.fold) == (6, 0)
    assert {splits[i] for i in fold.train} == {"train"}
    assert {splits[i] for i in fold.validation} == {held}


def test_leakage_is_what_loops_find() -> None:
    for name in ("stratified", "group", "clip"):
        drawn = folds_of(name)
        measured = leakage(drawn, GROUPS, CLIPS)
        clip = group = 0
        for fold in drawn:
            for index in fold.validation:
                clip += any(CLIPS[index] == CLIPS[other] for other in fold.train)
                group += any(GROUPS[index] == GROUPS[other] for other in fold.train)
        shares = {"image": 0.0, "clip": clip / N, "group": group / N, "group_known": 1.0}
        assert measured == shares | {"detector": None}
        assert (measured["group"] == 0) == (name == "group")
        assert (measured["clip"] == 0) == (name in ("group", "clip"))
        unknown = leakage(drawn, [""] * N, CLIPS)
        assert (unknown["group"], unknown["group_known"]) == (None, 0)


def test_leakage_counts_over_all_folds() -> None:
    folds = [Fold(0, 0, np.arange(3), np.array([0, 3])), Fold(0, 1, np.array([0]), np.array([1, 2]))]
    found = leakage(folds, ["a", "a", "a", ""], [""] * 4)
    assert found == {"image": 0.25, "clip": None, "group": 1.0, "group_known": 0.75, "detector": None}


def test_leakage_of_the_reshuffle_is_near_total_after_many_epochs() -> None:
    drawn, known = folds_of("reshuffle"), [index % 3 == 0 for index in range(N)]
    assert leakage(drawn, GROUPS, CLIPS)["image"] == 0
    assert leakage(drawn, GROUPS, CLIPS, epochs=20)["image"] == 1
    for folds in (drawn, folds_of("stratified")):
        hits = [known[index] for fold in folds for index in fold.validation]
        assert leakage(folds, GROUPS, CLIPS, detector=known)["detector"] == sum(hits) / len(hits)


@pytest.mark.parametrize(
    ("name", "given", "words"),
    [
        ("stratified", {"labels": np.array([0] * 200 + [1] * 7 + [2] * 3)}, "3 of fear where 5 are needed"),
        ("reshuffle", {"labels": np.array([0] * 209 + [1])}, "1 of disgust"),
        ("stratified", {"labels": np.zeros(N, int)}, "at least two classes"),
        ("group", {"groups": [""] * N}, "no group for any of 210"),
        ("group", {"groups": [f"m{i % 2}" for i in range(N)]}, r"2 groups for 5 folds[\s\S]*at most 2 folds"),
        ("group", {"groups": ["m"] * N}, r"1 groups for 5 folds[\s\S]*images of another group"),
        (
            "group",
            {"groups": ["one" if y == 6 else f"m{i % 9}" for i, y in enumerate(LABELS)]},
            "surprise in one",
        ),
        ("clip", {"clips": [""] * N}, "no clip for any"),
        ("spi", {}, "210 in no split"),
        ("spi", {"splits": ["set1"] * N}, "210 in set1"),
        ("fixed", {"splits": ["train"] * N}, "210 in train"),
        ("fixed", {"splits": ["train"] * 100 + ["test"] * 100 + [None] * 10}, "10 in no split"),
        ("fixed", {"splits": ["train"] * 100 + ["test"] * 100 + ["set1"] * 10}, "10 in set1"),
        (
            "fixed",
            {"splits": ["validation" if y == 2 else "train" for y in LABELS]},
            "none of fear in fold 1's",
        ),
    ],
)
def test_what_cannot_be_drawn_says_why_and_what_to_do(
    name: str, given: dict[str, object], words: str
) -> None:
    with pytest.raises(DataError, match=words) as caught:
        folds_of(name, **given)
    assert caught.value.fix


def test_no_deal_may_exist() -> None:
    pairs = [("a", 0), ("b", 0), ("b", 1), ("c", 1), ("c", 2), ("a", 2)]
    with pytest.raises(DataError, match="no such deal among 200 random ones of 3 groups into 2 folds"):
        draw(
            ProtocolConfig(name="group", folds=2),
            [y for _, y in pairs],
            [g for g, _ in pairs],
            *[[""] * 6] * 2,
        )


def test_classes_without_images_play_no_part_and_lengths_must_agree() -> None:
    assert len(folds_of("stratified", labels=np.arange(N) % 2 + 3)) == 5
    with pytest.raises(ValueError, match="one length"):
        folds_of("stratified", groups=GROUPS[1:])


OF_MOVIES = np.arange(140) % 7
FOLD = Fold(3, 1, np.arange(0, 112), np.arange(112, 140))


def test_images_are_held_out_class_by_class() -> None:
    part = inner_split(FOLD, OF_MOVIES, None, 0.25)
    assert sorted([*part.fold.train, *part.inner]) == FOLD.train.tolist()
    assert np.bincount(OF_MOVIES[part.inner]).tolist() == [4] * 7
    assert part.fold.validation is FOLD.validation


def test_whole_groups_are_held_out_where_they_are_known() -> None:
    held = [f"film {index // 7 % 9}" for index in range(140)]
    part = inner_split(FOLD, OF_MOVIES, held, 0.25)
    trained = {held[index] for index in part.fold.train}
    inner = {held[index] for index in part.inner}
    assert inner
    assert not trained & inner
    assert 0.1 < len(part.inner) / len(FOLD.train) < 0.45


@pytest.mark.parametrize("held", [None, [f"film {index // 7}" for index in range(140)]])
def test_the_split_follows_from_seed_and_fold(held: list[str] | None) -> None:
    first, again = (inner_split(FOLD, OF_MOVIES, held, 0.2).inner for _ in range(2))
    other = inner_split(Fold(4, 1, FOLD.train, FOLD.validation), OF_MOVIES, held, 0.2).inner
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_class_in_one_film_alone_can_not_be_held_out() -> None:
    held = [f"class {label}" for label in OF_MOVIES]
    with pytest.raises(
        DataError, match=r"leave every class in training.*no whole groups.*in fold 2.*Report the last epoch"
    ):
        inner_split(FOLD, OF_MOVIES, held, 0.2)
