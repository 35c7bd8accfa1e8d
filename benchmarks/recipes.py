"""What each training recipe gains over the paper's: generated sets, folds by movie, three seeds, paired by movie.

    python benchmarks/recipes.py [--sets 2] [--frames 168] [--movies 12] [--epochs 20] [--only strong,mixup] [--json]

Every recipe trains the same network on the same folds and seeds as the paper's; a row gives its accuracy and the
difference on the same frames, with a 95 % interval over the movies of all sets together. An interval that holds 0 is
noise, and of a dozen recipes one may leave 0 out by chance: the last column says what remains after Holm's correction
of McNemar's p (first seeds). Drawn faces say little about photographs.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd
from statsmodels.stats.multitest import multipletests

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from fer_core.config.settings import load  # noqa: E402
from fer_core.config.training import RECIPES  # noqa: E402
from fer_core.datasets.generated.frames import GeneratedConfig, generate  # noqa: E402
from fer_core.evaluation.metrics import lead  # noqa: E402
from fer_core.evaluation.metrics.probabilities import right  # noqa: E402
from fer_core.results import api  # noqa: E402
from fer_core.storage.store import Store  # noqa: E402


def held_out(recipe: str, folders: list[Path], given: argparse.Namespace) -> pd.DataFrame:
    """Train a recipe on every set, or recall it, and return its held-out predictions; movies of two sets differ."""
    store, parts = Store(load().database), []
    for number, folder in enumerate(folders):
        run = api.train(
            api.dataset(folder),
            backbone=given.backbone,
            weights="fer2013" if given.backbone == "mini_xception" else "imagenet",
            unfreeze=given.unfreeze,
            folds=given.folds,
            seeds=range(given.seeds),
            recipe=recipe,
            epochs=given.epochs,
        )
        found = store.predictions(run)
        parts.append(found.assign(**{name: f"{number} " + found[name] for name in ("name", "group")}))
    return pd.concat(parts, ignore_index=True)


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sets", type=int, default=2)
    parser.add_argument("--frames", type=int, default=168)
    parser.add_argument("--movies", type=int, default=12)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--folds", type=int, default=3)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--backbone", default="efficientnet_lite0")
    parser.add_argument("--unfreeze", type=int, default=1)
    parser.add_argument("--only", default="", help="recipes, with commas (default: all)")
    parser.add_argument("--home", type=Path, help="keeps what is trained (default: a temporary folder)")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    names = given.only.split(",") if given.only else [name for name in RECIPES if name != "paper"]
    with tempfile.TemporaryDirectory() as temporary:
        home = given.home or Path(temporary)
        os.environ |= {"FER_HOME": str(home), "FER_EXECUTOR": "inline"}
        folders = [
            generate(
                GeneratedConfig(
                    seed=seed, ordinary=given.frames, hard=0, movies=given.movies, width=320, height=256
                ),
                home / f"set{seed}",
            )
            for seed in range(100, 100 + given.sets)
        ]
        rows, before = [], held_out("paper", folders, given)
        for name in names:
            started, after = time.time(), held_out(name, folders, given)
            found = lead(before, after)
            rows.append(
                {"recipe": name, "accuracy": right(after).mean(), "seconds": time.time() - started, **found}
            )
            print(f"{name}: {100 * found['lead']:+.1f}", file=sys.stderr, flush=True)
        kept = multipletests([row["p"] for row in rows], method="holm")[0]
        rows = [row | {"beyond_chance": bool(one)} for row, one in zip(rows, kept, strict=True)]
    figures = {"paper": float(right(before).mean()), "frames": before["name"].nunique(), "rows": rows}
    if given.json:
        print(json.dumps(figures, indent=2, default=float))
        return 0
    print(
        f"{given.sets} sets, {figures['frames']} frames, {given.backbone} n = {given.unfreeze}, {given.epochs} epochs, "
        f"{given.folds} folds by movie, {given.seeds} seeds; the paper's recipe: {100 * right(before).mean():.1f} %"
    )
    for row in sorted(rows, key=lambda row: -float(row["lead"])):
        low, high = row["lead_interval"]
        print(
            f"{row['recipe']:<16} {100 * row['accuracy']:5.1f} %  {100 * row['lead']:+5.1f} "
            f"({100 * low:+.1f} to {100 * high:+.1f}, {row['lead_interval_over']})  p {row['p']:.3f}"
            f"{'  beyond chance' if row['beyond_chance'] else ''}  {row['seconds']:.0f} s"
        )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
