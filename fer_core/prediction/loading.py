"""What answers on new images: a finished run's networks, a recogniser, or a vote of such."""

from typing import Any

from fer_core.config.base import parse
from fer_core.config.recognition import RecogniserConfig, VoteConfig
from fer_core.config.run import RunConfig
from fer_core.config.settings import Settings
from fer_core.errors import ConfigError
from fer_core.learning.networks.naming import system
from fer_core.storage.shared_artifacts import artifacts_of
from fer_core.storage.store import StoredRun

from .answering import Answerer
from .predictor import Predictor
from .recognition import Recognition
from .vote import Vote


def answerer(run: StoredRun, settings: Settings) -> Answerer:
    """Load what a finished run answers with; for a recogniser's run that is the recogniser, for a vote its members.

    Raises:
        NotFoundError: its networks, or its ONNX file, are not here.
        WeightsError: the backbone's weights are missing.
        ConfigError: its model, or a member of the vote, answers no new images.
    """
    return _answerer(run.id, run.config, run.summary, settings)


def _answerer(run_id: str, config: RunConfig, summary: dict[str, Any], settings: Settings) -> Answerer:
    if isinstance(config.model, RecogniserConfig):
        return Recognition(config.model, config.faces, settings, temperature=summary.get("temperature"))
    if not isinstance(config.model, VoteConfig):
        if not config.trains_backbone:
            raise ConfigError(
                "only transferred networks and recognisers answer on new images",
                got=system(config.model),
                fix="Choose another run, or a vote without it",
            )
        return Predictor.load(run_id, config, settings)
    voice: dict[str, Answerer] = {}
    artifacts = artifacts_of(settings)
    for member in config.model.members:
        known = parse(RunConfig, artifacts.read_config("runs", member))
        voice[member] = _answerer(member, known, {}, settings)
    told = summary["vote"]
    return Vote(voice, settings, best=told["run"], temperatures=told["temperatures"])
