"""Which face, which second look, which cause: counted on generated frames whose truth is known.

    python benchmarks/faces.py [--frames 60] [--seed 1] [--json]

Three tables. Choice: how often each takes the person a frame is about (IoU 0.5 or more) among two people, beside a
larger face that the border cuts, a poster, and a crowd. Policy: how often each second look wins a lost face back at the
right place (IoU 0.4 or more: MTCNN's boxes are tighter than the drawn face), and how often it gives a wrong one. Cause:
the sentence on lost frames beside what the frame was made with. Generated faces say nothing certain about photographs.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pandas as pd
import torch

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.parts.hard_frames import CAUSES, CHOICES, Hard, lost, several  # noqa: E402
from fer_core.config.run import RESCUES, Choice, FacesConfig  # noqa: E402
from fer_core.faces.crops import Faces, choose, overlaps  # noqa: E402
from fer_core.faces.explanation import cause  # noqa: E402
from fer_core.faces.mtcnn.detector import MTCNN  # noqa: E402
from fer_core.faces.rescue import lower, rescue  # noqa: E402

#: The answer that is right for each kind of frame.
ANSWERS = {kind: "hidden" if kind in ("turned", "covered", "cut", "nobody") else kind for kind in CAUSES}


def right(faces: Faces, config: FacesConfig, truth: Hard, least: float) -> bool:
    """Return whether the chosen face is the one that is meant."""
    box = choose(faces, config).box
    if box is None or truth.box is None:
        return False
    return overlaps(np.array([box]), np.array([truth.box])).item() >= least


def choices(detector: MTCNN, frames: int, seed: int) -> pd.DataFrame:
    """Right and wrong choices by kind of frame; frames in which the meant face was not found at all are left out."""
    rows = []
    for number, kind in enumerate(CHOICES):
        for index in range(frames):
            truth = several(kind, np.random.default_rng([seed, number, index]))
            [faces] = detector.detect([truth.image])
            met = overlaps(faces.boxes, np.array([truth.box])) if len(faces) else np.zeros((0, 1))
            if met.max(initial=0) < 0.5:
                continue
            for choice in get_args(Choice):
                good = right(faces, FacesConfig(choice=choice), truth, 0.5)
                rows.append({"frames": kind, "choice": choice, "right": good, "wrong": not good})
    return pd.DataFrame(rows).groupby(["frames", "choice"], sort=False).sum().reset_index()


def second_looks(detector: MTCNN, frames: int, seed: int) -> tuple[pd.DataFrame, pd.DataFrame, int]:
    """Won and wrong faces by policy and kind of lost frame, the causes said beside the true ones, and lost frames."""
    config = FacesConfig(choice="best")
    lowered = MTCNN(thresholds=lower(config.thresholds, 0.2))
    policies = {name: (name,) for name in RESCUES} | {
        "stretch + light + rotate": ("stretch", "light", "rotate")
    }
    rows, said = [], []
    for number, kind in enumerate(CAUSES):
        for index in range(frames):
            truth = lost(kind, np.random.default_rng([seed, number, index]))
            [first] = detector.detect([truth.image])
            if len(first):
                continue
            for title, names in policies.items():
                found = rescue(truth.image, lambda by: lowered if by else detector, names)
                won = found is not None and right(found, config, truth, 0.4)
                rows.append(
                    {"policy": title, "lost": kind, "frames": 1, "won": won, "wrong": bool(found) and not won}
                )
                if title == "upscale":
                    side = None if found is None else found.boxes[found.probabilities.argmax()]
                    enlarged = None if side is None else float(side[2] - side[0])
            assert first.trace is not None
            proposals = len(first.trace.pnet.boxes)
            answer = cause(truth.image, proposals, enlarged, config.min_face_size).name
            said.append({"made": kind, "said": answer, "right": answer == ANSWERS[kind]})
    table = pd.DataFrame(rows).groupby(["policy", "lost"], sort=False).sum().reset_index()
    causes = pd.DataFrame(said)
    return table, causes, len(causes)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--frames", type=int, default=60, help="of each kind")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    torch.set_num_threads(1)
    detector = MTCNN()
    chosen = choices(detector, args.frames, args.seed)
    looks, causes, total = second_looks(detector, args.frames, args.seed)
    good = int(causes["right"].sum())
    if args.json:
        tables: dict[str, Any] = {"choices": chosen, "policies": looks, "causes": causes}
        print(json.dumps({name: table.to_dict("records") for name, table in tables.items()}, default=int))
        return
    pairs = chosen.assign(answer=chosen["right"].astype(str) + " / " + chosen["wrong"].astype(str))
    print(
        "Choice: right / wrong\n" + pairs.pivot(index="choice", columns="frames", values="answer").to_string()
    )
    looks["answer"] = looks["won"].astype(str) + " / " + looks["wrong"].astype(str)
    print("\nPolicy: won / wrong, of the frames lost")
    print(looks.pivot(index="policy", columns="lost", values="answer").to_string())
    print(looks.groupby("policy")[["frames", "won", "wrong"]].sum().to_string())
    print(f"\nCause: {good} of {total} right ({100 * good / total:.0f} %)")
    print(pd.crosstab(causes["made"], causes["said"]).to_string())


if __name__ == "__main__":
    main()
