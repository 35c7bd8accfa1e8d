"""What answers on new images: a finished run's networks, or a recogniser that needs no run."""

from __future__ import annotations

from fer_core.config.recognition import RecogniserConfig
from fer_core.config.run import RunConfig
from fer_core.config.settings import Settings

from .answering import Answerer
from .predictor import Predictor
from .recognition import Recognition


def answerer(run_id: str, config: RunConfig, settings: Settings) -> Answerer:
    """Load what a finished run answers with; for a recogniser's run that is the recogniser.

    Raises:
        NotFoundError: its networks, or its ONNX file, are not here.
        WeightsError: the backbone's weights are missing.
        ConfigError: its model answers no new images.
    """
    if isinstance(config.model, RecogniserConfig):
        return Recognition(config.model, config.faces, settings)
    return Predictor.load(run_id, config, settings)


def can_answer(config: RunConfig) -> bool:
    """Return whether a finished run of this definition answers on new images."""
    return config.trains_backbone or isinstance(config.model, RecogniserConfig)
