"""What holds, what does not and what is noise: recomputed by hand on made-up runs."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from fer_core.config.comparators import DHALL, BdnnConfig, PhogConfig, SvmConfig
from fer_core.config.run import (
    CLASSES,
    DataConfig,
    FacesConfig,
    Model,
    ProtocolConfig,
    RunConfig,
    TransferConfig,
)
from fer_core.evaluation.metrics import wilson
from fer_core.evaluation.metrics.probabilities import COLUMNS
from fer_core.results.paper.counterparts import Runs, systems_table
from fer_core.results.paper.reported import REPORTED
from fer_core.results.paper.verdicts import (
    DIFFERS,
    FAILS,
    HOLDS,
    LEAKS,
    MISSING,
    NOISE,
    UNJUDGED,
    check_figures,
    check_statements,
    noise,
)

DATA = DataConfig(fingerprint="0" * 16)
IMAGES = 700


def made(model: Model, protocol: str, accuracy: float, *, folds: int = 5, faces: bool = True) -> Any:
    config = RunConfig(
        data=DATA,
        model=model,
        faces=FacesConfig(extract=faces),
        protocol=ProtocolConfig(name=protocol, folds=folds),  # type: ignore[arg-type]
    )
    mean = {"train_accuracy": 0.9, "val_accuracy": accuracy, "train_loss": 1.0, "val_loss": 1.5}
    summary = {
        **mean,
        "val_accuracy_interval": list(wilson(accuracy * IMAGES, IMAGES)),
        "images": IMAGES,
        "over_epochs": mean,
    }
    return SimpleNamespace(id=config.key(), config=config, protocol=protocol, status="done", summary=summary)


def predictions(run: Any) -> pd.DataFrame:
    """Return predictions whose first images are right, as many as the run's accuracy says."""
    right = np.arange(IMAGES) < run.summary["val_accuracy"] * IMAGES
    labels = np.arange(IMAGES) % len(CLASSES)
    guesses = np.where(right, labels, (labels + 1) % len(CLASSES))
    table = pd.DataFrame({"name": [f"{i:03d}" for i in range(IMAGES)], "group": "", "label": labels})
    shares = np.full((IMAGES, len(CLASSES)), 0.05)
    shares[np.arange(IMAGES), guesses] = 0.7
    return table.assign(**dict(zip(COLUMNS, shares.T, strict=True)))


def epochs(run: Any) -> pd.DataFrame:
    folds = run.config.protocol.folds
    table = pd.DataFrame({"epoch": [100, 200] * folds, "val_accuracy": [0.16, 0.14] * folds, "seed": 0})
    return table.assign(fold=np.repeat(range(folds), 2))


def runs(*found: Any, backbone: str = "resnet18") -> Runs:
    return Runs(found, backbone, epochs, predictions)


def figure(checked: list[Any], system: str, measure: str = "val_accuracy") -> Any:
    return next(one for one in checked if one.reported.system == system and one.reported.measure == measure)


def statement(judged: list[Any], start: str, protocol: str) -> Any:
    return next(one for one in judged if one.statement.startswith(start) and one.protocol == protocol)


def test_the_noise_of_675_frames_is_3_7_points() -> None:
    assert round(100 * noise(0.43), 1) == 3.7


def test_every_reported_figure_is_answered_even_with_nothing_run() -> None:
    checked = check_figures(runs())
    assert [one.reported for one in checked] == list(REPORTED)
    assert {one.verdict for one in checked} == {MISSING}
    assert {one.verdict for one in check_statements(runs())} == {MISSING}
    assert "chance" in figure(checked, "ResNet18, n = 3").words
    assert "chance" not in figure(checked, "ResNet18, n = 2").words


@pytest.mark.parametrize(
    ("accuracy", "verdict"), [(0.4324, NOISE), (0.47, NOISE), (0.50, DIFFERS), (0.30, DIFFERS)]
)
def test_an_accuracy_is_judged_by_both_noises(accuracy: float, verdict: str) -> None:
    one = figure(
        check_figures(runs(made(TransferConfig(unfreeze=2), "reshuffle", accuracy))), "ResNet18, n = 2"
    )
    half = np.hypot(1.96 * np.sqrt(0.4324 * 0.5676 / 675), np.ptp(wilson(accuracy * IMAGES, IMAGES)) / 2)
    assert (abs(accuracy - 0.4324) <= half) == (verdict == NOISE)
    assert one.verdict == verdict


def test_random_weights_stand_beside_the_paper_only_where_asked_for_and_by_name() -> None:
    random = made(TransferConfig(unfreeze=2, weights="none"), "reshuffle", 0.43)
    asked = Runs([random], "resnet18", epochs, predictions, "none")
    one = figure(check_figures(asked), "ResNet18, n = 2")
    assert one.like.run is random
    assert "ResNet-18, random weights" in one.words
    assert figure(check_figures(runs(random)), "ResNet18, n = 2").verdict == MISSING
    assert systems_table([random])[0]["system"] == "ResNet-18 n=2, random weights"


def test_the_19_0_of_spi_stands_beside_lpq_and_phog_together() -> None:
    both = made(SvmConfig(inputs=DHALL["lpq+phog"]), "spi", 0.2)
    one = figure(check_figures(runs(both)), "SFEW baseline, SPI")
    assert (one.like.run, one.verdict) == (both, NOISE)
    row = systems_table([both])[0]
    assert (row["paper"], row["paper_protocol"]) == (pytest.approx(0.19), "spi")


def test_a_loss_is_told_but_not_judged() -> None:
    checked = check_figures(runs(made(TransferConfig(unfreeze=2), "reshuffle", 0.4)))
    one = figure(checked, "ResNet18, with face extraction", "val_loss")
    assert (one.verdict, one.like.value, one.like.interval) == (UNJUDGED, 1.5, None)


def test_another_backbone_random_weights_and_whole_frames_are_not_taken_for_the_paper_s() -> None:
    found = runs(
        made(TransferConfig(unfreeze=2, backbone="vgg16"), "reshuffle", 0.43),
        made(TransferConfig(unfreeze=2, weights="none"), "reshuffle", 0.43),
        made(TransferConfig(unfreeze=2), "reshuffle", 0.43, faces=False),
    )
    assert figure(check_figures(found), "ResNet18, n = 2").verdict == MISSING


def test_the_bdnn_is_read_at_each_iteration_from_its_ten_folds() -> None:
    five, ten = (made(BdnnConfig(), "stratified", 0.5, folds=folds) for folds in (5, 10))
    checked = check_figures(runs(five, ten))
    assert figure(checked, "BDNN, 100 iterations").like.value == pytest.approx(0.16)
    assert figure(checked, "BDNN, 200 iterations").like.value == pytest.approx(0.14)
    assert figure(checked, "BDNN, 200 iterations").like.run is ten


@pytest.mark.parametrize(("n1", "n2", "verdict"), [(0.2, 0.4, HOLDS), (0.4, 0.2, FAILS), (0.3, 0.3, NOISE)])
def test_a_statement_holds_only_beyond_noise(n1: float, n2: float, verdict: str) -> None:
    found = runs(
        made(TransferConfig(unfreeze=1), "group", n1),
        made(TransferConfig(unfreeze=2), "group", n2),
    )
    assert statement(check_statements(found), "n = 2 validates better than n = 1", "group").verdict == verdict


@pytest.mark.parametrize(("phog", "verdict"), [(0.41, HOLDS), (0.43, HOLDS), (0.45, NOISE), (0.60, FAILS)])
def test_similar_means_close_and_not_merely_unknown(phog: float, verdict: str) -> None:
    found = runs(
        made(TransferConfig(unfreeze=2), "stratified", 0.4),
        made(SvmConfig(inputs=PhogConfig()), "stratified", phog),
    )
    # Nested right answers: every difference goes one way; 3 points lie within the tolerance of 5.
    judged = statement(check_statements(found), "the transferred network (n = 2) is similar", "stratified")
    assert judged.verdict == verdict


def test_systems_compared_pairwise_share_their_folds() -> None:
    ten = made(BdnnConfig(), "stratified", 0.1, folds=10)
    network = made(TransferConfig(unfreeze=2), "stratified", 0.4)
    name = "the transferred network (n = 2) beats"
    assert statement(check_statements(runs(ten, network)), name, "stratified").verdict == MISSING
    five = made(BdnnConfig(), "stratified", 0.1)
    assert statement(check_statements(runs(ten, five, network)), name, "stratified").verdict == HOLDS


def test_one_row_a_system_with_what_was_published() -> None:
    found = [
        made(TransferConfig(unfreeze=2), "group", 0.3),
        made(TransferConfig(unfreeze=2), "stratified", 0.4),
        made(SvmConfig(inputs=PhogConfig()), "group", 0.2),
    ]
    rows = {row["system"]: row for row in systems_table(found)}
    assert (rows["ResNet-18 n=2"]["group"], rows["ResNet-18 n=2"]["stratified"]) == (0.3, 0.4)
    assert rows["ResNet-18 n=2"]["paper"] == pytest.approx(0.4324)
    assert rows["PHOG + SVM"]["paper"] == pytest.approx(0.4628)


def test_a_figure_over_other_epochs_than_the_paper_s_says_so() -> None:
    model = TransferConfig(unfreeze=2)
    usual = made(model, "reshuffle", 0.43)
    short = made(model, "group", 0.4)
    training = short.config.training.model_copy(update={"epochs": 2})
    short.config = short.config.model_copy(update={"training": training})
    assert "epochs" not in figure(check_figures(runs(usual)), "ResNet18, n = 2").words
    assert "Here over 2 epochs, not 20." in figure(check_figures(runs(usual, short)), "ResNet18, n = 2").words


@pytest.mark.parametrize(
    ("accuracy", "verdict"), [(1 / 7, HOLDS), (0.16, HOLDS), (0.2, NOISE), (0.25, FAILS)]
)
def test_at_chance_is_judged_within_or_beyond_the_tolerance_and_only_one_of_them(
    accuracy: float, verdict: str
) -> None:
    found = runs(made(TransferConfig(unfreeze=3), "group", accuracy))
    judged = statement(check_statements(found), "n = 3 validates at chance", "group")
    low, high = wilson(accuracy * IMAGES, IMAGES)
    assert (low >= 1 / 7 - 0.05 and high <= 1 / 7 + 0.05) == (judged.verdict == HOLDS)
    assert (high < 1 / 7 - 0.05 or low > 1 / 7 + 0.05) == (judged.verdict == FAILS)
    assert (judged.verdict, judged.rule) == (verdict, "last epoch, to 5 points")


def test_overfitting_that_a_leak_hides_is_told_as_the_leak() -> None:
    name = "n = 3 overfits"
    for protocol, verdict in (("reshuffle", LEAKS), ("group", FAILS)):
        found = runs(made(TransferConfig(unfreeze=3), protocol, 0.95))
        assert statement(check_statements(found), name, protocol).verdict == verdict


def test_the_bdnn_beats_or_not_is_judged_for_each_n() -> None:
    found = runs(
        made(BdnnConfig(), "stratified", 0.16),
        made(TransferConfig(unfreeze=2), "stratified", 0.43),
        made(TransferConfig(unfreeze=3), "stratified", 0.10),
    )
    judged = check_statements(found)
    verdicts = [
        statement(judged, f"the transferred network (n = {n}) beats", "stratified").verdict for n in (1, 2, 3)
    ]
    assert verdicts == [MISSING, HOLDS, FAILS]


def test_a_mean_over_epochs_is_as_wide_as_the_last_epoch_on_the_log_odds() -> None:
    run = made(TransferConfig(unfreeze=2), "reshuffle", 0.4)
    run.summary["over_epochs"] = run.summary["over_epochs"] | {"val_accuracy": 0.3}
    one = figure(check_figures(runs(run)), "ResNet18, n = 2").like
    low, high = (np.log(end / (1 - end)) for end in run.summary["val_accuracy_interval"])
    shift = np.log(0.3 / 0.7) - np.log(0.4 / 0.6)
    assert one.interval == pytest.approx([1 / (1 + np.exp(-end - shift)) for end in (low, high)])
