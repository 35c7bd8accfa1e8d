"""What answers on new images: a finished run's networks, a recogniser, or a vote of such."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from fer_core.config.base import parse
from fer_core.config.recognition import RecogniserConfig, VoteConfig
from fer_core.config.run import RunConfig
from fer_core.config.settings import Settings
from fer_core.errors import ConfigError
from fer_core.evaluation.metrics import apply_temperature
from fer_core.faces.crops import Chosen
from fer_core.learning.networks.naming import system, voters
from fer_core.storage.shared_artifacts import artifacts_of
from fer_core.storage.store import StoredRun

from .answering import Answerer, Score
from .answers import Prediction
from .predictor import Predictor
from .recognition import Recognition

if TYPE_CHECKING:
    from .neighbours import Neighbour


class Vote(Answerer):
    """Finished runs that vote. Faces are found, explained and shown as the leading member does it.

    Args:
        members: what answers, by the ids of their runs.
        best: the id of the one that was right most often; it leads.
        temperatures: of the members' probabilities, by their ids; none for a plain mean.
    """

    def __init__(
        self,
        members: Mapping[str, Answerer],
        settings: Settings,
        *,
        best: str,
        temperatures: Mapping[str, float] | None = None,
    ) -> None:
        self.members = {best: members[best], **members}
        self.lead, self.temperatures = members[best], dict(temperatures or {})
        title = voters([member.title for member in self.members.values()])
        super().__init__(self.lead.faces, title, settings)

    def judge(
        self,
        images: Sequence[np.ndarray],
        chosen: Sequence[Sequence[Chosen]],
        *,
        explain: bool = False,
        nearest: int = 0,
    ) -> list[list[Prediction]]:
        """Classify the faces that were `chosen` in each image: see `predict`."""
        lead, *others = (member.judge(images, chosen) for member in self.members.values())
        found = [
            [self._mean([face, *same]) for face, *same in zip(faces, *rest, strict=True)]
            for faces, *rest in zip(lead, *others, strict=True)
        ]
        return self.reasoned(found, explain=explain, nearest=nearest)

    def _mean(self, votes: Sequence[Prediction]) -> Prediction:
        """Return the lead's answer with the mean of all."""
        each = np.stack([vote.probabilities for vote in votes])
        mean, scaled = each.mean(0), None
        if self.temperatures:
            with_own = zip(self.members, each, strict=True)
            parts = [apply_temperature(one[None], self.temperatures[name])[0] for name, one in with_own]
            scaled = np.mean(parts, axis=0)
        first = (mean if scaled is None else scaled).argmax()
        agreement = float((each.argmax(1) == first).mean())
        return replace(votes[0], probabilities=mean, agreement=agreement, calibrated=scaled)

    @property
    def voters(self) -> tuple[int, str]:
        """The members."""
        return len(self.members), "members of the vote"

    def classify(self, crops: np.ndarray) -> list[Score]:
        """Return what the leading member says of crops: they are cut for it alone."""
        return self.lead.classify(crops)

    def explain(self, crops: np.ndarray, labels: Sequence[str]) -> np.ndarray | None:
        """Return where the leading member looks."""
        return self.lead.explain(crops, labels)

    def nearest(
        self, crops: np.ndarray, count: int, *, exclude: Sequence[Collection[str]] | None = None
    ) -> list[list[Neighbour]]:
        """Return the training faces most like each crop for the leading member. Raises NotFoundError."""
        return self.lead.nearest(crops, count, exclude=exclude)


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
