"""The training faces that a run's networks find most like a face: cosine of what enters the head."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import nn

from fer_core.config.run import CLASSES, RunConfig
from fer_core.datasets.base import known_clips
from fer_core.errors import NotFoundError
from fer_core.evaluation.protocols import draw
from fer_core.faces.extraction import Crops, read_crops
from fer_core.learning.inputs.prefix import forward
from fer_core.learning.inputs.transforms import to_input
from fer_core.learning.networks.backbones import Backbone
from fer_core.learning.training.evaluation import Passes
from fer_core.storage.artifacts import Artifacts

KIND, FILE = "neighbours", "features.npz"

#: Crops are taken through the networks so many at a time: bounds memory.
AT_ONCE = 64

#: At this cosine and above, a training crop is compared with the asked one pixel by pixel.
SAME = 0.999


@dataclass(frozen=True)
class Neighbour:
    """A training face near another.

    Attributes:
        name: the image's in its data set.
        label: its class in the data set.
        similarity: cosine in -1..1, the mean over the networks that trained on it.
        crop: (size, size, 3) uint8 RGB.
    """

    name: str
    label: str
    similarity: float
    crop: np.ndarray

    def to_dict(self) -> dict[str, str | float]:
        """Return JSON-able values, without the crop."""
        return {"name": self.name, "label": self.label, "similarity": self.similarity}


def head_inputs(
    prefix: nn.Sequential,
    suffixes: Sequence[nn.Sequential],
    crops: np.ndarray,
    row: Backbone,
    device: torch.device,
    passes: Passes = forward,
) -> list[np.ndarray]:
    """Return what enters each network's head, of length 1: a (N, D) float32 array a network.

    Networks whose head alone was trained see the same: they share one array.
    """
    parts: list[list[np.ndarray]] = [[] for _ in suffixes]
    with torch.inference_mode():
        for start in range(0, len(crops), AT_ONCE):
            entering = passes(prefix, to_input(np.array(crops[start : start + AT_ONCE]), row, device))
            for number, suffix in enumerate(suffixes):
                if number and len(suffix) == 1:
                    continue
                found = passes(suffix[:-1], entering).flatten(1)
                parts[number].append(nn.functional.normalize(found).float().cpu().numpy())
    width = 0 if not parts[0] else parts[0][0].shape[1]
    made = [np.concatenate(part) if part else np.zeros((0, width), np.float32) for part in parts]
    return [made[0] if len(suffix) == 1 else inputs for suffix, inputs in zip(suffixes, made, strict=True)]


@dataclass(frozen=True)
class Bank:
    """A run's training faces as its networks see them.

    Attributes:
        features: a (N, D) float32 array of unit rows a network.
        trained: (M, N) whether network m trained on image n.
        crops: of the N images, with their table.
    """

    features: list[np.ndarray]
    trained: np.ndarray
    crops: Crops

    def nearest(
        self,
        queries: Sequence[np.ndarray],
        crops: np.ndarray,
        count: int,
        *,
        networks: Sequence[int],
        exclude: Sequence[Collection[str]] | None = None,
    ) -> list[list[Neighbour]]:
        """Return the `count` training faces most like each of Q faces, most similar first.

        Args:
            queries: a (Q, D) array of unit rows for each of `networks`.
            crops: (Q, size, size, 3) uint8: a training face of the same pixels is the asked image itself, and
                left out.
            networks: which of the bank's networks vote.
            exclude: names to leave out, a collection a face.
        """
        table = self.crops.used()
        seen = self.trained[list(networks)]  # (m, N)
        cosines = np.stack([query @ self.features[m].T for m, query in zip(networks, queries, strict=True)])
        votes = seen.sum(0)
        mean = np.where(votes, (cosines * seen[:, None]).sum(0) / np.maximum(votes, 1), -np.inf)  # (Q, N)
        found = []
        for query, (scores, crop) in enumerate(zip(mean, crops, strict=True)):
            chosen: list[Neighbour] = []
            for index in np.argsort(-scores, kind="stable"):
                score = float(scores[index])
                if len(chosen) == count or score == -np.inf:
                    break
                name, image = str(table["name"][index]), self.crops.images[index]
                if (exclude and name in exclude[query]) or (score > SAME and np.array_equal(image, crop)):
                    continue
                label = CLASSES[int(table["label"][index])]
                chosen.append(Neighbour(name, label, min(score, 1.0), np.array(image)))
            found.append(chosen)
        return found


def bank(
    config: RunConfig,
    members: Mapping[tuple[int, int], nn.Sequential],
    prefix: nn.Sequential,
    row: Backbone,
    device: torch.device,
    artifacts: Artifacts,
    *,
    keep: bool,
) -> Bank:
    """Return a run's bank, computed unless it has been kept.

    Args:
        members: (seed, fold) of each network -> its trained blocks.
        keep: write it beside the run's other artifacts; off where nothing may be written.

    Raises:
        NotFoundError: the run's crops are not on this host.
    """
    if not artifacts.has("crops", config.crops_key()):
        raise NotFoundError(
            "the run's training faces must be on this host to compare with",
            got=f"no crops for {config.key()}",
            fix="Look for faces with the run's settings on the Faces page",
        )
    crops = read_crops(artifacts.open("crops", config.crops_key()))
    used = crops.used()
    clips = known_clips(used["name"], used["clip"])
    labels, groups, splits = used["label"].to_numpy(copy=True), list(used["group"]), list(used["split"])
    folds = {(fold.seed, fold.fold): fold for fold in draw(config.protocol, labels, groups, clips, splits)}
    trained = np.zeros((len(members), len(used)), bool)
    for number, member in enumerate(members):
        trained[number, folds[member].seen(config.epochs)] = True

    images, networks = crops.images[: len(used)], list(members.values())
    compute = partial(head_inputs, prefix, networks, images, row, device)

    def build(folder: Path) -> None:
        features = compute()
        distinct = features[:1] if features[0] is features[-1] else features
        np.savez(folder / FILE, *distinct)

    if not keep and not artifacts.has(KIND, config.key()):
        return Bank(compute(), trained, crops)
    about = {
        "run": config.key(),
        "crops": config.crops_key(),
        "members": [list(member) for member in members],
    }
    with np.load(artifacts.ensure(KIND, config.key(), about, build) / FILE) as stored:
        kept = [stored[f"arr_{number}"] for number in range(len(stored.files))]
    return Bank(kept if len(kept) == len(members) else kept * len(members), trained, crops)
