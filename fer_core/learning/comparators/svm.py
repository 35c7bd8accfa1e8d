"""RBF support vector machine on a descriptor: the classifier of SFEW's published PHOG and LPQ baselines.

Everything that is learned is learned inside the training part of a fold: means and variances, principal
components, C, gamma and the temperature of the probabilities.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax
from sklearn.decomposition import PCA
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from threadpoolctl import threadpool_limits

from fer_core.config.comparators import SvmConfig
from fer_core.config.run import CLASSES
from fer_core.errors import DataError
from fer_core.learning.reporting import EpochRecord, FoldResult

if TYPE_CHECKING:
    from fer_core.evaluation.protocols import Fold
    from fer_core.learning.reporting import Report


def fit_folds(
    config: SvmConfig,
    features: np.ndarray,
    labels: np.ndarray,
    folds: Sequence[Fold],
    report: Report,
    groups: Sequence[str] | None = None,
) -> list[FoldResult]:
    """Fit and judge every fold.

    Args:
        config: share of variance, grid and inner folds.
        features: (N, D), finite.
        labels: (N,) indices into `CLASSES`.
        folds: what to train on and what to hold out.
        report: hears of each fold and what was chosen in it.
        groups: N names that must not straddle an inner fold either; give them where the outer folds keep
            groups whole, else C and gamma are chosen for recognising the group.

    Raises:
        DataError: features are missing or all the same, or a training part has one class alone, or fewer than
            two images of a class (or groups) to split.
    """
    check_features(features)
    found: list[FoldResult] = []
    names = None if groups is None else np.asarray(groups)
    # These matrices are too small for BLAS's threads, which would mostly wait for each other; and one thread
    # gives the same bits on every machine size.
    with threadpool_limits(1, user_api="blas"):
        for fold in folds:
            report.check()
            inside = None if names is None else names[fold.train]
            one = _fit_fold(config, features, labels, fold, inside)
            chosen = ", ".join(f"{name} {value:g}" for name, value in one.note.items())
            report.log(f"seed {one.seed}, fold {one.fold}: {chosen}")
            found.append(one)
            report.step("folds", len(found), len(folds))
    return found


def check_features(features: np.ndarray) -> None:
    """Refuse features that nothing can be learned from.

    Raises:
        DataError: some are NaN or infinite, or every image has the same.
    """
    if not np.isfinite(features).all():
        rows = int((~np.isfinite(features)).any(axis=1).sum())
        raise DataError(
            "Features must be numbers",
            got=f"{rows} images with NaN or infinite ones",
            fix="Leave those rows out (FeatureTable.complete tells the others)",
        )
    if (features == features[:1]).all():
        raise DataError("Features must differ between images", got="the same for every image")


def _fit_fold(
    config: SvmConfig, features: np.ndarray, labels: np.ndarray, fold: Fold, groups: np.ndarray | None
) -> FoldResult:
    started = time.perf_counter()
    x, y = features[fold.train], labels[fold.train]
    place = f"seed {fold.seed}, fold {fold.fold}"
    splits = inner_splits(y, groups, config.inner_folds, fold.seed, place)
    cost, gamma, held_out = choose(config, x, y, splits)
    temperature = fit_temperature(held_out, y)

    reduce = _reduction(config).fit(x)
    inside = reduce.transform(x)
    model = _machine(inside, cost, gamma).fit(inside, y)
    values = decisions(model, reduce.transform(features[fold.validation]))
    probabilities = softmax(values / temperature, axis=1).astype(np.float32)
    record = EpochRecord(
        seed=fold.seed,
        fold=fold.fold,
        epoch=1,
        train_loss=math.nan,
        train_accuracy=float((decisions(model, inside).argmax(axis=1) == y).mean()),
        val_loss=math.nan,
        val_accuracy=float((probabilities.argmax(axis=1) == labels[fold.validation]).mean()),
        lr=math.nan,
        seconds=time.perf_counter() - started,
        images=len(y),
    )
    return FoldResult(
        seed=fold.seed,
        fold=fold.fold,
        indices=np.asarray(fold.validation),
        probabilities=probabilities,
        epochs=(record,),
        note={"C": cost, "gamma": gamma, "components": inside.shape[1], "temperature": temperature},
    )


def inner_splits(
    y: np.ndarray, groups: np.ndarray | None, count: int, seed: int, place: str
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the (train, test) pairs inside one training part, stratified; fewer than `count` if need be.

    Raises:
        DataError: one class alone, or a class with one image, or one group.
    """
    sizes = np.unique(y, return_counts=True)[1]
    if len(sizes) < 2:
        raise DataError("An SVM must be trained on two classes or more", got=f"one class in {place}")
    pieces = int(sizes.min()) if groups is None else len(set(groups.tolist()))
    if pieces < 2:
        raise DataError(
            "C and gamma need two images of each class, or two groups, to be chosen on",
            got=f"one in the training part of {place}",
            fix="Add images of the rarest class, or draw fewer folds",
        )
    count = min(count, pieces)
    if groups is None:
        return list(StratifiedKFold(count, shuffle=True, random_state=seed).split(y, y))
    return list(StratifiedGroupKFold(count, shuffle=True, random_state=seed).split(y, y, groups))


def choose(
    config: SvmConfig, x: np.ndarray, y: np.ndarray, splits: list[tuple[np.ndarray, np.ndarray]]
) -> tuple[float, float, np.ndarray]:
    """Return the C and gamma with the best accuracy over the inner splits, and its held-out decisions.

    Scaler and PCA are fitted again in each inner split. Of equals the smallest C wins, then the smallest gamma.

    Returns:
        C, gamma (a multiple of 'scale'), (N, 7) decision values of images the machine had not seen.
    """
    grid = [(cost, gamma) for cost in config.costs for gamma in config.gammas]
    values = np.full((len(grid), len(y), len(CLASSES)), -np.inf)
    for train, test in splits:
        reduce = _reduction(config).fit(x[train])
        inside, outside = reduce.transform(x[train]), reduce.transform(x[test])
        for row, (cost, gamma) in enumerate(grid):
            values[row, test] = decisions(_machine(inside, cost, gamma).fit(inside, y[train]), outside)
    best = int((values.argmax(axis=2) == y).mean(axis=1).argmax())
    return *grid[best], values[best]


def decisions(model: SVC, x: np.ndarray) -> np.ndarray:
    """Return one-against-rest decision values (M, 7), minus infinity for classes the machine never met."""
    values = model.decision_function(x)
    if values.ndim == 1:
        values = np.stack([-values, values], axis=1)
    found = np.full((len(x), len(CLASSES)), -np.inf)
    found[:, model.classes_] = values
    return found


def fit_temperature(values: np.ndarray, y: np.ndarray) -> float:
    """Return the temperature T > 0 for which softmax(values / T) gives held-out labels the best likelihood.

    One number cannot change which class wins, unlike Platt's sigmoid per class (Guo et al. 2017, section 4.2).
    It is fitted on the decisions that C and gamma were chosen by, hence slightly optimistic; 1 where no inner
    training part had the class of any image held out.
    """
    rows = np.arange(len(y))
    known = np.isfinite(values[rows, y])  # elsewhere an inner training part lacked the class
    if not known.any():
        return 1.0

    def loss(log_t: float) -> float:
        return -float(
            log_softmax(values[known] / np.exp(log_t), axis=1)[rows[: known.sum()], y[known]].mean()
        )

    return float(np.exp(minimize_scalar(loss, bounds=(-5.0, 5.0), method="bounded").x))


def _reduction(config: SvmConfig) -> Pipeline:
    return make_pipeline(StandardScaler(), PCA(config.variance, svd_solver="full"))


def _machine(inside: np.ndarray, cost: float, gamma: float) -> SVC:
    return SVC(C=cost, gamma=gamma / (inside.shape[1] * float(inside.var())))
