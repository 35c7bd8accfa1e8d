"""Load a finished run and classify faces in new images: the folds' networks vote with equal weight."""

import copy
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Self

import numpy as np
import torch

from fer_core.config.devices import resolve
from fer_core.config.run import CLASSES, RunConfig
from fer_core.config.settings import Settings
from fer_core.errors import NotFoundError
from fer_core.evaluation.metrics import apply_temperature
from fer_core.learning.inputs.prefix import forward
from fer_core.learning.inputs.transforms import mirrored, to_input
from fer_core.learning.networks.backbones import BACKBONES
from fer_core.learning.networks.convolution import for_answers
from fer_core.learning.networks.transfer import Chain, build
from fer_core.learning.training import checkpoints
from fer_core.learning.training.evaluation import answers
from fer_core.learning.training.precision import Precision, arithmetic
from fer_core.storage.shared_artifacts import artifacts_of

from .answering import Answerer, Score, in_few_lengths
from .grad_cam import grad_cam
from .neighbours import Bank, Neighbour, bank, head_inputs

#: Crops explained at a time: bounds memory.
EXPLAINED = 8

#: From so many crops on, passes of training's size cost no more than others.
FILLED = 12


@dataclass(frozen=True)
class Network:
    """What one fold trained.

    Attributes:
        suffix: the trained blocks as training left them; quick: the same made ready for a few crops at a time.
        precision: the arithmetic they were trained in.
        temperature: if one was fitted.
    """

    seed: int
    fold: int
    suffix: torch.nn.Sequential
    quick: torch.nn.Module
    precision: Precision
    temperature: float | None


class Predictor(Answerer):
    """A finished run's networks, ready for images.

        predictor = Predictor.load(run.id, run.config, settings)
        for faces in predictor.predict([image], explain=True, nearest=5):
            print([(face.label, face.confidence, face.box) for face in faces])

    All networks vote; `only(seed, fold)` gives a predictor of one. Several threads may share a predictor.

    Args:
        config: the run's definition: its crops are cut the same way here.
        folder: the run's artifact: one file of trained blocks a fold and seed.
        settings: where weights lie and which device is used.
    """

    def __init__(self, config: RunConfig, folder: Path, settings: Settings) -> None:
        super().__init__(config.faces, BACKBONES[config.transfer.backbone].title, settings)
        self.config, faces = config, config.faces
        self.device = torch.device(resolve(settings))
        chain = build(config.transfer, settings.weights_dir)
        boundary = chain.row.start(config)
        self.row = chain.row
        self.prefix = chain.prefix(boundary).to(self.device)
        example = to_input(np.zeros((1, faces.size, faces.size, 3), np.uint8), self.row, self.device)
        self._quick_prefix, self._example = for_answers(self.prefix, example)
        files = sorted(folder.glob("seed*.safetensors"))
        self.networks = [self._network(chain, boundary, path) for path in files]
        self.trained = list(self.networks)
        self.bank = cache(self._open_bank)  # `only` shares it

    @classmethod
    def load(cls, run_id: str, config: RunConfig, settings: Settings) -> Self:
        """Load a run's networks.

        Raises:
            NotFoundError: the run has left no networks here.
            WeightsError: the backbone's weights are missing.
        """
        artifacts = artifacts_of(settings)
        if not artifacts.has("runs", run_id):
            raise NotFoundError(
                "a run's networks must be on this host to predict with it",
                got=f"none for {run_id}",
                fix="Choose a finished run, or train it here",
            )
        return cls(config, artifacts.open("runs", run_id), settings)

    def _network(self, chain: Chain, boundary: str, path: Path) -> Network:
        suffix = copy.deepcopy(chain.suffix(boundary))
        tensors, note = checkpoints.read(path)
        suffix.load_state_dict(checkpoints.part(tensors, "suffix."))
        noted = note.get("training", {})
        used = noted.get("precision", self.config.training.precision)
        temperature = noted["temperature"] if self.config.training.calibrate else None
        suffix = suffix.to(self.device).eval().requires_grad_(False)
        seed, fold = path.stem.removeprefix("seed").split("-fold")
        quick = for_answers(suffix, self._example)[0] if used == "float32" else suffix
        return Network(int(seed), int(fold), suffix, quick, Precision(used, "as trained"), temperature)

    @property
    def voters(self) -> tuple[int, str]:
        """The networks of the folds."""
        return len(self.networks), "networks"

    def only(self, seed: int, fold: int) -> Self:
        """Return a predictor of one network; it shares what is loaded.

        Raises:
            NotFoundError: the run has no such fold.
        """
        found = copy.copy(self)
        found.networks = [one for one in self.trained if (one.seed, one.fold) == (seed, fold)]
        if not found.networks:
            known = ", ".join(f"{one.seed}.{one.fold}" for one in self.trained)
            raise NotFoundError("the run must have the fold", got=f"{seed}.{fold}", fix=f"It has {known}")
        return found

    def explain(self, crops: np.ndarray, labels: Sequence[str]) -> np.ndarray | None:
        """Return Grad-CAM maps of (N, size, size, 3) crops for a class each, the mean over the networks.

        Returns:
            (N, h, w) float32 in 0..1, at the resolution of the backbone's last spatial block; None where it has
            none (ViT).
        """
        if self.row.cam_block is None:
            return None
        places = in_few_lengths(len(crops), self.device)
        targets = torch.tensor([CLASSES.index(labels[place]) for place in places], device=self.device)
        suffixes = [network.suffix for network in self.networks]
        inputs = to_input(crops[places], self.row, self.device)
        maps = [
            grad_cam(self.prefix, suffixes, self.row.cam_block, part, goal)
            for part, goal in zip(inputs.split(EXPLAINED), targets.split(EXPLAINED), strict=True)
        ]
        return torch.cat(maps).cpu().numpy()[: len(crops)]

    def nearest(
        self, crops: np.ndarray, count: int, *, exclude: Sequence[Collection[str]] | None = None
    ) -> list[list[Neighbour]]:
        """Return the training faces that the networks find most like each crop: see `neighbours.Bank.nearest`.

        The first call computes the training faces' features, unless they have been kept.
        """
        suffixes = [network.suffix for network in self.networks]
        given = crops[in_few_lengths(len(crops), self.device)]
        found = head_inputs(self.prefix, suffixes, given, self.row, self.device, _unfilled)
        queries = [query[: len(crops)] for query in found]
        voting = [self.trained.index(network) for network in self.networks]
        return self.bank().nearest(queries, crops, count, networks=voting, exclude=exclude)

    def _open_bank(self) -> Bank:
        """Return the training faces as the run's networks see them. Raises NotFoundError as `neighbours.bank`."""
        members = {(network.seed, network.fold): network.suffix for network in self.trained}
        artifacts, keep = artifacts_of(self.settings), not self.settings.demo
        return bank(self.config, members, self.prefix, self.row, self.device, artifacts, keep=keep)

    def classify(self, crops: np.ndarray) -> list[Score]:
        """Return (probabilities, agreement, calibrated) for each of (N, size, size, 3) uint8 RGB crops.

        As in `Prediction`; a run with test-time flip averages the image and its mirror image here too. From `FILLED`
        crops on the bits are those of training; fewer take a fraction of the time, and differ by float32 rounding.
        """
        with torch.inference_mode():
            given = crops[in_few_lengths(len(crops), self.device)]
            votes = self._votes(given, filled=len(crops) >= FILLED)[:, : len(crops)]
            mean = votes.mean(0)
            agreement = (votes.argmax(2) == mean.argmax(1)).float().mean(0)
        each = votes.cpu().numpy()
        scaled: list[np.ndarray | None] = [None] * len(crops)
        parts = [
            apply_temperature(vote, network.temperature)
            for vote, network in zip(each, self.networks, strict=True)
            if network.temperature is not None
        ]
        if parts:
            scaled = list(np.mean(parts, axis=0))
        return list(zip(mean.cpu().numpy(), agreement.tolist(), scaled, strict=True))

    def _votes(self, crops: np.ndarray, *, filled: bool) -> torch.Tensor:
        """Return every network's probabilities, (networks, N, 7); in filled passes to the bit those of training."""
        passes, prefix = (forward, self.prefix) if filled else (_unfilled, self._quick_prefix)
        sides = [crops, mirrored(crops)] if self.config.training.flip_at_test else [crops]
        views = [passes(prefix, to_input(side, self.row, self.device)) for side in sides]
        votes = []
        for network in self.networks:
            with arithmetic(network.precision, self.device):
                suffix = network.suffix if filled else network.quick
                logits = answers(suffix, views, network.precision, passes=passes)
            votes.append(logits.softmax(1))
        return torch.stack(votes)


def _unfilled(network: torch.nn.Module, x: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        return network(x)
