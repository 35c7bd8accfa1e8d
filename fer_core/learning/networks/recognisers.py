"""Recognisers: expression networks trained elsewhere, used as they are. A row each; files that users add beside them.

    model, faces = named("mini_xception", artifacts)
    network = Recogniser.load(model, settings.weights_dir, artifacts, "cpu")
    network.recognise(crops, faces)  # (N, 7) of (N, size, size, 3) uint8 crops, cut as `faces` says

Which channels come first, what a pixel's value is scaled to and which output means which class differs from network to
network, and a mistake there shows in no error: a test holds each row to answers known beforehand.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from fer_core.config.recognition import OnnxConfig, RecogniserConfig
from fer_core.config.run import FacesConfig, TransferConfig
from fer_core.errors import NotFoundError
from fer_core.storage.artifacts import Artifacts

from . import onnx_files
from .backbones import BACKBONES

if TYPE_CHECKING:
    from .transfer import Chain

#: (B, side, side, 3) uint8 RGB -> (B, 7) probabilities in the order of `CLASSES`.
Answer = Callable[[np.ndarray], np.ndarray]

#: Of faces cut square: 16 of 160 pixels on each side are margin, so that zooms up to 1.25 have something to show.
SQUARE = FacesConfig(square=True, margin=32)


#: Recognisers that need no file of the user's: on which pictures each was trained, and what that says of its answers.
RECOGNISERS: dict[str, str] = {
    "mini_xception": "FER2013, 28,709 gray pictures from the web; right on about two thirds of such pictures"
}


def named(name: str, artifacts: Artifacts) -> tuple[RecogniserConfig, FacesConfig]:
    """Return a recogniser's definition and how its faces are cut: a row by name, a file by its name or SHA-256's start.

    Raises:
        NotFoundError: there is none.
    """
    if name in RECOGNISERS:
        return RecogniserConfig(network=name), SQUARE  # type: ignore[arg-type]
    files = onnx_files.listed(artifacts)
    found = [one for one in files if name and (one.name == name or one.sha256.startswith(name))]
    if len(found) != 1:
        known = ", ".join([*RECOGNISERS, *(one.name or one.sha256[:8] for one in files)])
        raise NotFoundError("A recogniser must be known by this name", got=repr(name), fix=f"Choose {known}")
    if found[0].aligned:  # read once, at its own size
        model = RecogniserConfig(network=found[0], zooms=(1.0,))
        return model, FacesConfig(align=True, size=found[0].size)
    return RecogniserConfig(network=found[0]), SQUARE


@dataclass(frozen=True)
class Recogniser:
    """A recogniser ready to answer.

    Attributes:
        side: of the pictures it reads, in pixels.
        answer: what it says of them; a picture's answer depends on no other, to the bit.
        quick: the same up to float32 rounding, for a few pictures in a fraction of the time.
    """

    model: RecogniserConfig
    side: int
    answer: Answer
    quick: Answer

    @classmethod
    def load(
        cls, model: RecogniserConfig, weights_dir: Path | None, artifacts: Artifacts, device: str
    ) -> Recogniser:
        """Load a recogniser.

        Raises:
            WeightsError: its weights are missing or damaged.
            NotFoundError: its file was not added here.
            ConfigError: onnxruntime is not installed.
        """
        if isinstance(model.network, OnnxConfig):
            answer = onnx_files.answer(model.network, artifacts)
            return cls(model, model.network.size, answer, answer)
        side = BACKBONES[model.network].input_size
        return cls(model, side, *_torch_answers(model.network, weights_dir, device))

    def recognise(self, crops: np.ndarray, faces: FacesConfig) -> np.ndarray:
        """Return the mean of `views`: (N, 7) float32."""
        return self.views(crops, faces).mean(0)

    def views(self, crops: np.ndarray, faces: FacesConfig, *, exact: bool = True) -> np.ndarray:
        """Return the answers to each of the definition's zooms, and to their mirror images.

        Args:
            crops: (N, size, size, 3) uint8 RGB.
            faces: how they were cut: the margin says where zoom 1 is.
            exact: a crop's answers must not depend on the others, to the bit.

        Returns:
            (V, N, 7) float32.
        """
        inner = crops.shape[1] - (faces.margin if faces.extract else 0)
        views = [zoomed(crops, inner * zoom, self.side) for zoom in self.model.zooms]
        if self.model.mirror:
            views += [view[:, :, ::-1] for view in views]
        answer = self.answer if exact else self.quick
        answers = answer(np.ascontiguousarray(np.concatenate(views)))
        return answers.reshape(len(views), len(crops), -1)


def zoomed(crops: np.ndarray, span: float, side: int) -> np.ndarray:
    """Return the middle `span` pixels of (N, size, size, 3) crops as (N, side, side, 3), bilinear and antialiased.

    Beyond a crop its edge is repeated.
    """
    size = crops.shape[1]
    edge = max(0, int(np.ceil((span - size) / 2)))
    wide = np.pad(crops, ((0, 0), (edge, edge), (edge, edge), (0, 0)), mode="edge") if edge else crops
    low = (size + 2 * edge - span) / 2
    box = (low, low, low + span, low + span)
    found = [Image.fromarray(one).resize((side, side), Image.Resampling.BILINEAR, box=box) for one in wide]
    return np.stack([np.asarray(one) for one in found])


def _torch_answers(name: str, weights_dir: Path | None, device: str) -> tuple[Answer, Answer]:
    """Return what answers exactly, and what does quickly: on a CPU, in a pass that isn't filled up."""
    import torch

    from fer_core.learning.inputs.prefix import forward, pass_size
    from fer_core.learning.inputs.transforms import to_input

    from .convolution import for_answers

    there = torch.device(device)
    network = whole(name, weights_dir).to(there)
    few = np.zeros((8, BACKBONES[name].input_size, BACKBONES[name].input_size, 3), np.uint8)
    ready, _ = for_answers(network, to_input(few, network.row, there))

    def answer(pictures: np.ndarray) -> np.ndarray:
        logits = forward(network, to_input(pictures, network.row, there))
        return logits.softmax(1).cpu().numpy()

    def quick(pictures: np.ndarray) -> np.ndarray:
        if there.type != "cpu" or len(pictures) >= pass_size(there):
            return answer(pictures)
        with torch.inference_mode():
            return ready(to_input(pictures, network.row, there)).softmax(1).numpy()

    return answer, quick


def whole(name: str, weights_dir: Path | None) -> Chain:
    """Return a recogniser's backbone with the head it was trained with, in eval mode.

    Raises:
        WeightsError: its weights are missing or damaged.
    """
    from .transfer import build
    from .weights import load_weights

    model = TransferConfig(backbone=name, weights=BACKBONES[name].pretrained)
    chain, tensors = build(model, weights_dir), load_weights(model, weights_dir)
    head = {part: (tensors or {})[f"fc.{part}"] for part in ("weight", "bias")}
    chain.get_submodule("fc").load_state_dict(head)
    return chain.requires_grad_(False)
