"""How often the intervals shown here hold the truth: simulated, since on real data no one knows it.

    python benchmarks/coverage.py [--repeats 1000] [--groups 5 37] [--seeds 1] [--spread 0.5]

Each data set has 675 images, as SFEW, in groups of unequal size (spread 0: equal; 0.5: as drawn from a log-normal,
the largest of 20 about 2.5 times the mean). A group's accuracy is drawn from a beta distribution around the true
one, so that right answers within a group correlate; an image's from one around the group's, so that seeds agree on it.
A row gives the least and the most coverage over the true accuracies .15, .3, .5 and .9, for the interval of this
project, the paired one (two systems, of that accuracy both, and 10 points apart), Wilson over images, and a bootstrap
over groups.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from fer_core.evaluation.metrics.intervals import difference, seed_interval, share, wilson

COLUMNS = ("here", "paired", "10 points apart", "Wilson", "bootstrap")
IMAGES, ACCURACIES, AGREEMENT = 675, (0.15, 0.3, 0.5, 0.9), 0.5


def around(rng: np.random.Generator, mean: np.ndarray, correlation: float) -> np.ndarray:
    """Return shares whose right answers correlate by so much, of the given means."""
    if not correlation:
        return mean
    odds = (1 - correlation) / correlation
    mean = np.clip(mean, 1e-9, 1 - 1e-9)
    return rng.beta(mean * odds, (1 - mean) * odds)


def answers(
    rng: np.random.Generator, group: np.ndarray, accuracy: float, rho: float, seeds: int
) -> np.ndarray:
    """Return each image's mean correctness over seeds, (N,)."""
    shares = around(rng, np.full(group.max() + 1, accuracy), rho)[group]
    if seeds > 1:
        shares = around(rng, shares, AGREEMENT)
    return rng.binomial(seeds, shares) / seeds


def bootstrap(rng: np.random.Generator, values: np.ndarray, group: np.ndarray) -> tuple[float, float]:
    """Return the percentile interval of 200 draws of whole groups."""
    sums, sizes = np.bincount(group, values), np.bincount(group)
    times = rng.multinomial(len(sums), np.full(len(sums), 1 / len(sums)), size=200)
    low, high = np.quantile((times @ sums) / (times @ sizes), [0.025, 0.975])
    return low, high


def coverage(groups: int, rho: float, seeds: int, spread: float, repeats: int) -> dict[str, list[float]]:
    """Return each interval's coverage in %, one figure an accuracy; NaN where none is shown."""
    rng = np.random.default_rng([groups, round(100 * rho), seeds, round(10 * spread)])
    found: dict[str, list[float]] = {}
    for accuracy in ACCURACIES:
        held: dict[str, list[bool]] = {name: [] for name in COLUMNS}
        for number in range(repeats):
            weights = rng.lognormal(0, spread, groups)
            sizes = np.maximum(1, rng.multinomial(IMAGES, weights / weights.sum()))
            group = np.repeat(np.arange(groups), sizes)
            gain = 0.1 if accuracy < 0.5 else -0.1
            one, like, apart = (
                answers(rng, group, other, rho, seeds) for other in (accuracy, accuracy, accuracy + gain)
            )
            names = [f"movie{number}" for number in group.tolist()]
            found_here = {
                "here": (share(one, names).interval, accuracy),
                "paired": (difference(like - one, names).interval, 0.0),
                "10 points apart": (difference(apart - one, names).interval, gain),
            }
            if number % 5 == 0:  # slow, and far from 95 %
                found_here["Wilson"] = wilson(one.sum(), len(one)), accuracy
                found_here["bootstrap"] = bootstrap(rng, one, group), accuracy
            for name, ((low, high), truth) in found_here.items():
                if low == low:
                    held[name].append(low <= truth <= high)
        for name, flags in held.items():
            found.setdefault(name, []).append(100 * float(np.mean(flags)) if flags else np.nan)
    return found


def independent(seeds: int, repeats: int) -> list[float]:
    """Return the coverage in % where no groups are known and images are independent."""
    rng = np.random.default_rng(seeds)
    found = []
    for accuracy in ACCURACIES:
        held = []
        for _ in range(repeats):
            shares = around(rng, np.full(IMAGES, accuracy), AGREEMENT if seeds > 1 else 0.0)
            rows = (rng.random((seeds, IMAGES)) < shares).ravel()
            names = [str(image) for image in range(IMAGES)] * seeds
            low, high = share(rows, [""] * len(rows), names).interval
            held.append(low <= accuracy <= high)
        found.append(100 * float(np.mean(held)))
    return found


def over_seeds(seeds: int, repeats: int) -> float:
    """Return the coverage in % of the interval over seeds, whose accuracies vary by 2 points."""
    rng = np.random.default_rng(seeds)
    held = []
    for _ in range(repeats):
        low, high = seed_interval(0.4 + 0.02 * rng.normal(size=seeds))
        held.append(low <= 0.4 <= high)
    return 100 * float(np.mean(held))


def extent(values: list[float]) -> str:
    """Return the least and the most of some percentages."""
    return "none shown" if np.isnan(values).all() else f"{min(values):.1f} - {max(values):.1f}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=1000)
    parser.add_argument("--spread", type=float, nargs="+", default=[0.0, 0.5])
    parser.add_argument("--groups", type=int, nargs="+", default=[3, 5, 8, 10, 15, 20, 37, 60])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 3, 5])
    wanted = parser.parse_args()
    repeats = wanted.repeats
    print(f"| spread | groups | correlation | seeds | {' | '.join(COLUMNS)} |")
    print("|---" * (4 + len(COLUMNS)) + "|")
    for spread in wanted.spread:
        for groups in wanted.groups:
            for rho in (0.0, 0.05, 0.1, 0.2):
                for seeds in wanted.seeds:
                    found = coverage(groups, rho, seeds, spread, repeats)
                    cells = " | ".join(extent(values) for values in found.values())
                    print(f"| {spread:g} | {groups} | {rho:g} | {seeds} | {cells} |", flush=True)
    for seeds in (1, 3, 5):
        print(f"independent images, {seeds} seeds: {extent(independent(seeds, repeats))}")
    for seeds in (5, 10):
        print(f"over {seeds} seeds: {over_seeds(seeds, 10 * repeats):.1f}")


if __name__ == "__main__":
    main()
