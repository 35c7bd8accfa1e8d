"""A recogniser on new images, ready without any run: the mean over zooms of each face and their mirror images.

recogniser = Recognition.named("mini_xception", settings)
(faces,) = recogniser.predict([image], explain=True)
"""

from collections.abc import Sequence
from functools import cached_property
from typing import Self

import numpy as np
import torch

from fer_core.config.devices import resolve
from fer_core.config.recognition import RecogniserConfig
from fer_core.config.run import CLASSES, FacesConfig
from fer_core.config.settings import Settings
from fer_core.evaluation.metrics import apply_temperature
from fer_core.learning.inputs.transforms import to_input
from fer_core.learning.networks.naming import recogniser_name
from fer_core.learning.networks.recognisers import Recogniser, named, whole
from fer_core.learning.networks.transfer import Chain
from fer_core.storage.shared_artifacts import artifacts_of

from .answering import Answerer, Score, in_few_lengths
from .grad_cam import grad_cam


class Recognition(Answerer):
    """A recogniser that answers as its run does.

    Args:
        temperature: that of its probabilities, fitted on the frames of its run; None where nothing was measured.

    Raises:
        WeightsError, NotFoundError, ConfigError: as `Recogniser.load`.
    """

    def __init__(
        self,
        model: RecogniserConfig,
        faces: FacesConfig,
        settings: Settings,
        *,
        temperature: float | None = None,
    ) -> None:
        super().__init__(faces, recogniser_name(model), settings)
        self.temperature = temperature
        self.device = resolve(settings)
        self.network = Recogniser.load(model, settings.weights_dir, artifacts_of(settings), self.device)

    @classmethod
    def named(cls, name: str, settings: Settings) -> Self:
        """Load a recogniser by its name, its faces cut as it wants them."""
        return cls(*named(name, artifacts_of(settings)), settings)

    @property
    def voters(self) -> tuple[int, str]:
        """The zooms and mirror images of a face."""
        model = self.network.model
        return len(model.zooms) * (1 + model.mirror), "zooms and mirror images"

    def classify(self, crops: np.ndarray) -> list[Score]:
        """Return (probabilities, agreement, calibrated): how many of the zooms and mirror images agree."""
        views = self.network.views(crops, self.faces, exact=False)
        mean = views.mean(0)
        agreement = (views.argmax(2) == mean.argmax(1)).mean(0)
        scaled: list[np.ndarray | None] = [None] * len(mean)
        if self.temperature is not None:
            scaled = list(apply_temperature(mean, self.temperature))
        return [(p, float(a), c) for p, a, c in zip(mean, agreement, scaled, strict=True)]

    def explain(self, crops: np.ndarray, labels: Sequence[str]) -> np.ndarray | None:
        """Return Grad-CAM maps of whole crops, margin included; None for a file's network."""
        if self._chain is None:
            return None
        places, block = in_few_lengths(len(crops), self.device), str(self._chain.row.cam_block)
        inputs = to_input(crops[places], self._chain.row, torch.device(self.device))
        targets = torch.tensor([CLASSES.index(labels[place]) for place in places], device=self.device)
        prefix, suffix = self._chain.prefix("fc"), self._chain.suffix("fc")
        return grad_cam(prefix, [suffix], block, inputs, targets).cpu().numpy()[: len(crops)]

    @cached_property
    def _chain(self) -> Chain | None:
        name = self.network.model.network
        if not isinstance(name, str):
            return None
        return whole(name, self.settings.weights_dir).to(self.device)
