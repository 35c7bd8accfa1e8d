"""A vote on new images: each member cuts the faces as it wants them, and their probabilities are averaged."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from fer_core.config.settings import Settings
from fer_core.evaluation.metrics import apply_temperature
from fer_core.faces.crops import Chosen
from fer_core.learning.networks.naming import voters

from .answering import Answerer, Score
from .answers import Prediction

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
