from dataclasses import dataclass

import numpy as np
import pytest
import torch
from report_case import Recorder
from sklearn.model_selection import StratifiedKFold

from fer_core.config.comparators import BdnnConfig, MlpConfig
from fer_core.errors import Cancelled, DataError, TrainingError
from fer_core.evaluation.protocols import Fold
from fer_core.learning.comparators import bdnn_training
from fer_core.learning.comparators.bdnn_training import fit_folds
from fer_core.learning.reporting import BdnnEpoch, FoldResult

SMALL = {"hidden": (8, 6, 5), "epochs": 12}


@dataclass
class Cut:
    seed: int
    fold: int
    train: np.ndarray
    validation: np.ndarray

    def split(self, epoch: int) -> tuple[np.ndarray, np.ndarray]:
        return self.train, self.validation


class Moving(Cut):
    """Holds out other images each epoch, as the paper's reshuffle does."""

    def split(self, epoch: int) -> tuple[np.ndarray, np.ndarray]:
        order = np.random.default_rng([self.seed, epoch]).permutation(len(self.train) + len(self.validation))
        return np.sort(order[14:]), np.sort(order[:14])


@pytest.fixture(scope="module")
def drawn() -> tuple[np.ndarray, np.ndarray, list[Cut]]:
    """Return 70 images of seven classes in 10 dimensions, and four folds of unequal size."""
    rng = np.random.default_rng(0)
    labels = np.arange(70) % 7
    features = 3.0 + 0.2 * (rng.normal(size=(70, 10)) + 2.0 * rng.normal(size=(7, 10))[labels])
    cut = StratifiedKFold(4, shuffle=True, random_state=0).split(labels, labels)
    return features, labels, [Cut(5, index, train, rest) for index, (train, rest) in enumerate(cut)]


def fit(
    config: BdnnConfig | MlpConfig, features: np.ndarray, labels: np.ndarray, folds: list
) -> list[FoldResult]:
    return fit_folds(config, features, labels, folds, Recorder())


@pytest.mark.parametrize(
    "config",
    [
        BdnnConfig(**SMALL),
        BdnnConfig(**SMALL, mean_node=True),
        BdnnConfig(**SMALL, alternate=2),
        MlpConfig(**SMALL),
    ],
    ids=["both", "mean", "alternate", "mlp"],
)
def test_folds_side_by_side_train_as_alone(config: BdnnConfig | MlpConfig, drawn: tuple) -> None:
    features, labels, folds = drawn
    together = fit(config, features, labels, folds)
    for fold, found in zip(folds, together, strict=True):
        alone = fit(config, features, labels, [fold])[0]
        np.testing.assert_array_equal(found.indices, fold.validation)
        np.testing.assert_allclose(found.probabilities, alone.probabilities, atol=1e-4)
        for one, other in zip(found.epochs, alone.epochs, strict=True):
            assert one.train_loss == pytest.approx(other.train_loss, abs=1e-4)
            assert one.val_loss == pytest.approx(other.val_loss, abs=1e-4)


def by_hand(
    config: BdnnConfig, features: np.ndarray, labels: np.ndarray, fold: Cut
) -> list[dict[str, float]]:
    """One fold in two-dimensional tensors, with torch's own losses on the images of each part alone."""
    x_all = torch.tensor(features, dtype=torch.float32)
    inside = x_all[fold.train]
    x_all = (x_all - inside.mean(0)) / inside.std(0, correction=0)
    y_all = torch.tensor(labels)
    start = bdnn_training.Bdnn(config, features.shape[1], [(fold.seed, fold.fold)])
    ws = [weight[0].detach().clone().requires_grad_() for weight in start.weights]
    bs = [torch.zeros(len(weight), requires_grad=True) for weight in ws]
    cs = [torch.zeros(weight.shape[1], requires_grad=True) for weight in ws]

    def forward(x: torch.Tensor) -> torch.Tensor:
        for weight, bias in zip(ws[:-1], bs[:-1], strict=True):
            x = torch.tanh(x @ weight.T + bias)
        return x @ ws[-1].T + bs[-1]

    def reverse(y: torch.Tensor) -> torch.Tensor:
        for weight, bias in zip(ws[:0:-1], cs[:0:-1], strict=True):
            y = torch.tanh(y @ weight + bias)
        return y @ ws[0] + cs[0]

    def losses(part: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        x, y = x_all[part], y_all[part]
        hot = torch.nn.functional.one_hot(y, 7).float()
        ahead = torch.nn.functional.cross_entropy(forward(x)[:, :7], y)
        if config.mean_node:
            hot = torch.cat([hot, x.mean(1, keepdim=True)], 1)
            ahead = ahead + torch.nn.functional.mse_loss(forward(x)[:, 7], x.mean(1))
        return ahead, torch.nn.functional.mse_loss(reverse(hot), x)

    if config.alternate:
        adams = [torch.optim.Adam([*ws, *bs], lr=config.lr), torch.optim.Adam([*ws, *cs], lr=config.lr)]
    else:
        adams = [torch.optim.Adam([*ws, *bs, *cs], lr=config.lr)]
    rows = []
    for step in range(config.epochs):
        ahead, back = losses(fold.train)
        turn = step // config.alternate % 2 if config.alternate else 0
        loss = (ahead, back)[turn] if config.alternate else ahead + config.reverse_weight * back
        adams[turn].zero_grad()
        loss.backward()
        adams[turn].step()
        with torch.no_grad():
            train, validation = losses(fold.train), losses(fold.validation)
            hits = forward(x_all[fold.validation])[:, :7].argmax(1) == y_all[fold.validation]
        rows.append(
            {
                "train_loss": train[0].item(),
                "train_reverse_loss": train[1].item(),
                "val_loss": validation[0].item(),
                "val_reverse_loss": validation[1].item(),
                "val_accuracy": hits.float().mean().item(),
            }
        )
    return rows


@pytest.mark.parametrize(
    "config",
    [
        BdnnConfig(**SMALL, reverse_weight=0.7),
        BdnnConfig(**SMALL, mean_node=True),
        BdnnConfig(**SMALL, alternate=3),
    ],
    ids=["both", "mean", "alternate"],
)
def test_every_epoch_matches_a_network_written_by_hand(config: BdnnConfig, drawn: tuple) -> None:
    features, labels, folds = drawn
    found = fit(config, features, labels, folds[1:3])[1]
    rows = by_hand(config, features, labels, folds[2])
    assert [record.epoch for record in found.epochs] == list(range(1, 13))
    for record, row in zip(found.epochs, rows, strict=True):
        for name, value in row.items():
            assert getattr(record, name) == pytest.approx(value, abs=2e-4), (record.epoch, name)


def test_records_reach_the_report_with_both_directions(drawn: tuple) -> None:
    features, labels, folds = drawn
    report = Recorder()
    found = fit_folds(BdnnConfig(**SMALL), features, labels, folds, report)
    assert len(report.epochs) == 4 * 12
    assert all(isinstance(record, BdnnEpoch) for record in report.epochs)
    assert {(record.seed, record.fold) for record in report.epochs} == {(5, 0), (5, 1), (5, 2), (5, 3)}
    assert report.steps[-1] == ("train", 48, 48)
    assert found[0].epochs[0] in report.epochs
    assert found[0].epochs[0].images == len(folds[0].train)
    assert found[0].epochs[-1].train_reverse_loss < found[0].epochs[0].train_reverse_loss


def test_the_control_has_no_reverse_direction(drawn: tuple) -> None:
    features, labels, folds = drawn
    found = fit(MlpConfig(**SMALL), features, labels, folds[:1])[0]
    assert found.prototypes is None
    assert found.distances is None
    assert np.isnan(found.epochs[-1].train_reverse_loss)
    assert np.isfinite(found.epochs[-1].train_loss)


@pytest.mark.parametrize("mean_node", [False, True])
def test_prototypes_find_the_means_of_separate_classes(mean_node: bool) -> None:
    rng = np.random.default_rng(1)
    labels = np.arange(140) % 7
    means = rng.normal(size=(7, 10)) * 4 + 10 * rng.permutation(7)[:, None]
    features = means[labels] + 0.1 * rng.normal(size=(140, 10)) + 100.0
    fold = Cut(0, 0, np.arange(105), np.arange(105, 140))
    config = BdnnConfig(hidden=(24, 16, 12), epochs=200, lr=0.01, mean_node=mean_node)
    found = fit(config, features, labels, [fold])[0]
    assert (found.probabilities.argmax(axis=1) == labels[found.indices]).all()
    assert found.prototypes is not None
    assert found.distances is not None
    assert found.distances.shape == (35, 7)
    assert (found.distances.argmin(axis=1) == labels[found.indices]).all()
    assert np.abs(found.prototypes - (means + 100.0)).max() < 2.0


def test_nothing_is_learned_from_the_held_out_part(drawn: tuple) -> None:
    features, labels, folds = drawn
    poisoned, wrong = features.copy(), labels.copy()
    poisoned[folds[0].validation] += 50.0
    wrong[folds[0].validation] = 0
    one = fit(BdnnConfig(**SMALL), features, labels, folds[:1])[0]
    other = fit(BdnnConfig(**SMALL), poisoned, wrong, folds[:1])[0]
    np.testing.assert_allclose(one.prototypes, other.prototypes, rtol=1e-4, atol=1e-5)
    for record, again in zip(one.epochs, other.epochs, strict=True):
        assert record.train_loss == pytest.approx(again.train_loss, rel=1e-4)
    assert one.epochs[-1].val_loss != pytest.approx(other.epochs[-1].val_loss, abs=1e-2)


def test_a_moving_split_holds_out_the_last_epochs_images(drawn: tuple) -> None:
    features, labels, folds = drawn
    fold = Moving(3, 0, folds[0].train, folds[0].validation)
    found = fit(BdnnConfig(**SMALL), features, labels, [fold])[0]
    np.testing.assert_array_equal(found.indices, fold.split(12)[1])
    hits = found.probabilities.argmax(axis=1) == labels[found.indices]
    assert found.epochs[-1].val_accuracy == pytest.approx(hits.mean())
    assert {record.images for record in found.epochs} == {56}


def test_folds_in_turns_are_the_same_folds(drawn: tuple, monkeypatch: pytest.MonkeyPatch) -> None:
    features, labels, folds = drawn
    config = BdnnConfig(**SMALL)
    together = fit(config, features, labels, folds)
    monkeypatch.setattr(bdnn_training, "STACK_LIMIT", 3 * features.size)
    report = Recorder()
    turns = fit_folds(config, features, labels, folds, report)
    assert [fold.fold for fold in turns] == [0, 1, 2, 3]
    assert report.steps[-1] == ("train", 48, 48)
    assert [done for _, done, _ in report.steps] == sorted(done for _, done, _ in report.steps)
    monkeypatch.setattr(bdnn_training, "STACK_LIMIT", 1)
    one_by_one = Recorder()
    fit_folds(config, features, labels, folds, one_by_one)
    assert (len(report.steps), len(one_by_one.steps)) == (2 * 12, 4 * 12)
    for one, other in zip(together, turns, strict=True):
        np.testing.assert_allclose(one.probabilities, other.probabilities, atol=1e-4)


def test_stops_when_asked(drawn: tuple) -> None:
    features, labels, folds = drawn
    report = Recorder(cancel_at_check=6)
    with pytest.raises(Cancelled):
        fit_folds(BdnnConfig(**SMALL), features, labels, folds, report)
    assert max(record.epoch for record in report.epochs) == 4


def test_bad_features_and_losses_are_refused(drawn: tuple) -> None:
    features, labels, folds = drawn
    missing = features.copy()
    missing[0, 0] = np.nan
    with pytest.raises(DataError, match="Features must be numbers"):
        fit(BdnnConfig(**SMALL), missing, labels, folds)
    with pytest.raises(TrainingError, match="finite"):
        fit(BdnnConfig(**SMALL), features * 1e37, labels, folds)


def test_raw_inputs_go_in_as_they_are() -> None:
    """Rows in standard units already are the same to both; others are not."""
    rng = np.random.default_rng(4)
    features = rng.normal(3.0, 5.0, (40, 6)).astype(np.float32)
    labels = np.arange(40) % 6
    fold = Fold(0, 0, np.arange(28), np.arange(28, 40))
    inside = features[:28]
    standard = ((features - inside.mean(0)) / inside.std(0)).astype(np.float32)

    def fitted(values: np.ndarray, *, standardise: bool) -> np.ndarray:
        (one,) = fit_folds(BdnnConfig(epochs=5, standardise=standardise), values, labels, [fold], Recorder())
        return one.probabilities

    raw = fitted(standard, standardise=False)
    np.testing.assert_allclose(raw, fitted(features, standardise=True), atol=1e-4)
    assert np.abs(raw - fitted(features, standardise=False)).max() > 0.01
