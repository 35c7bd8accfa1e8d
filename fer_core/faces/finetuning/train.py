"""Fine-tuning of MTCNN's R- and O-Net on known faces, after Zhang et al. 2016, section III.

Deviations: training starts from facenet-pytorch's weights, not from random ones; each loss is the mean over the
samples it applies to, where the paper divides by the batch; landmarks are learnt on positives and parts, where
the paper draws another set; optimiser Adam. P-Net stays as it is.
"""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from facenet_pytorch.models.mtcnn import ONet, RNet
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, mse_loss

from fer_core.config.run import DataConfig, digest
from fer_core.datasets.base import Dataset
from fer_core.faces.crops import Box
from fer_core.faces.extraction import Progress
from fer_core.faces.mtcnn.detector import MTCNN
from fer_core.learning.networks.reproducible import deterministic
from fer_core.storage.artifacts import Artifacts
from fer_core.storage.tensor_files import write_tensors

from .finetuned import KIND, VERSION, WEIGHTS, FineTuneConfig
from .known_faces import known_frames, split_by_group, truth_digest
from .samples import NEGATIVE, PART, Refiner, StageSamples, collect
from .score import score

#: Called with the step's name, what is done and what there is in all.
Steps = Callable[[str, int, int], None]


def fine_tune(
    dataset: Dataset,
    data: DataConfig,
    drawn: Mapping[str, Box],
    config: FineTuneConfig,
    artifacts: Artifacts,
    *,
    device: str = "cpu",
    progress: Steps | None = None,
) -> str:
    """Fine-tune R-, then O-Net, and return the key of the detector; one made before is only looked up.

    The frames are dealt into training and held-out movies before anything else is done with them. The artifact
    holds the weights, and in its config.json the data, the settings, the movies of either part and how the
    detector does on the held-out ones before and after (`score.score`). Repeatable on a CPU: one thread, one
    seed. What a GPU makes differs in its roundings and stands under a key of its own.

    Args:
        drawn: hand-drawn boxes (source px) by sample name; a generated set brings its boxes.
        device: where it is trained: 'cpu' or 'cuda:<index>'.

    Raises:
        DataError: no face is known, or all are of one movie.
    """
    known = known_frames(dataset, drawn)
    training, held = split_by_group(known, config.held_out, config.seed)
    truth, kind = truth_digest(known), device.partition(":")[0]
    of = {"step": [KIND, VERSION], "parent": data.key(), "truth": truth, "own": config.hashed()}
    key = digest(of if kind == "cpu" else of | {"device": kind})
    about: dict[str, Any] = {
        "data": {"fingerprint": data.fingerprint, "name": data.name, "generated": data.generated},
        "settings": config.hashed(),
        "training_groups": sorted({frame.group for frame in training}),
        "held_out_groups": sorted({frame.group for frame in held}),
    }

    def named(step: str) -> Progress | None:
        return partial(progress, step) if progress else None

    def build(folder: Path) -> None:
        weights = folder / WEIGHTS
        rng = np.random.default_rng([config.seed, 1])
        nets = nn.ModuleDict({"rnet": RNet(), "onet": ONet()}).to(device)
        pretrained = MTCNN(device)
        samples, curves = {}, {}
        for stage in ("rnet", "onet"):
            write_tensors(weights, nets.state_dict())
            lowered = (*config.proposals, config.proposals[1])
            proposer = MTCNN(device, thresholds=lowered, weights=weights)
            made = collect(stage, training, proposer, pretrained, config, rng, named(f"{stage} samples"))
            samples[stage] = made.counts()
            curves[stage] = train_stage(nets, stage, made.to(device), config, rng, named(f"{stage} training"))
        write_tensors(weights, nets.state_dict())
        figures = score(held, pretrained, MTCNN(device, weights=weights), named("comparing"))
        about.update(samples=samples, losses=curves, figures=figures)  # written by `ensure` after this

    with deterministic(torch.device(device), one_thread=True):
        artifacts.ensure(KIND, key, about, build)
    return key


def train_stage(
    nets: nn.ModuleDict,
    stage: Refiner,
    samples: StageSamples,
    config: FineTuneConfig,
    rng: np.random.Generator,
    progress: Progress | None = None,
) -> list[float]:
    """Train one of the nets in place and return the mean loss of each epoch."""
    net = nets[stage]
    softmax = "softmax5_1" if stage == "rnet" else "softmax6_1"
    probabilities = getattr(net, softmax)
    setattr(net, softmax, nn.Identity())  # cross-entropy takes logits; the layer holds no weights
    landmark_weight = config.rnet_landmark_weight if stage == "rnet" else config.onet_landmark_weight
    optimiser = torch.optim.Adam(net.parameters(), lr=config.lr)
    curve = []
    for epoch in range(config.epochs):
        total = torch.zeros((), dtype=torch.float64, device=samples.kinds.device)
        order = torch.from_numpy(rng.permutation(len(samples))).to(samples.kinds.device)
        for rows in order.split(config.batch_size):
            x = (samples.crops[rows].float() - 127.5) / 128
            offsets, *points, logits = net(x)
            classes, boxes, landmarks = losses(
                logits,
                offsets,
                points[0] if points else None,
                samples.kinds[rows],
                samples.offsets[rows],
                samples.points[rows],
                config.hardest,
            )
            loss = classes + config.box_weight * boxes + landmark_weight * landmarks
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            total += loss.detach().double() * len(rows)
        curve.append(float(total) / len(samples))
        if progress:
            progress(epoch + 1, config.epochs)
    setattr(net, softmax, probabilities)
    return curve


def losses(
    logits: Tensor,
    offsets: Tensor,
    points: Tensor | None,
    kinds: Tensor,
    true_offsets: Tensor,
    true_points: Tensor,
    hardest_share: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """Return a batch's losses: classification (mined), box regression and landmark regression.

    Args:
        logits: (n, 2) of no face and face; offsets: (n, 4); points: (n, 10), None for a net without landmarks.
        kinds: (n,) of POSITIVE and NEGATIVE, which are classified, and PART; positives and parts have boxes.
        true_offsets: (n, 4); true_points: (n, 10), NaN rows have no landmarks.
        hardest_share: of the classification losses kept.

    Returns:
        Scalars: mean cross-entropy over the hardest, mean squared errors; 0 where no sample applies.
    """
    nothing = logits.sum() * 0
    asked, moved = kinds != PART, kinds != NEGATIVE
    classes = boxes = landmarks = nothing
    if asked.any():
        each = cross_entropy(logits[asked], kinds[asked], reduction="none")
        classes = each[hardest(each, hardest_share)].mean()
    if moved.any():
        boxes = mse_loss(offsets[moved], true_offsets[moved])
    known = moved & true_points.isfinite().all(1)
    if points is not None and known.any():
        landmarks = mse_loss(points[known], true_points[known])
    return classes, boxes, landmarks


def hardest(values: Tensor, share: float) -> Tensor:
    """Return the indices of the largest `share` of (n,) losses, at least one (online hard-example mining)."""
    return values.detach().topk(max(int(share * len(values)), 1)).indices
