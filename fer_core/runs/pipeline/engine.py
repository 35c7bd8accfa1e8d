"""Where the heavy steps of a run are computed: detection, activations, fits. Here, unless an executor brings more."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from fer_core.config.devices import release, resolve
from fer_core.config.run import FacesConfig
from fer_core.config.settings import Settings
from fer_core.datasets.base import Sample
from fer_core.faces.extraction import detected
from fer_core.faces.finding import detectors
from fer_core.storage.artifacts import Artifacts

from .environment import describe_environment
from .fitting import FITTERS, Work


class Engine:
    """The calling process; what computes elsewhere leaves the bits that this leaves on the same kind of device."""

    def device(self, settings: Settings) -> str:
        """Return the device that computes: 'cpu' or 'cuda:<index>'.

        Raises:
            ConfigError: a GPU is asked for that is not there.
        """
        return resolve(settings)

    def environment(self, settings: Settings, device: str) -> dict[str, object]:
        """Return versions, commit and machine of what computes (`describe_environment`)."""
        return describe_environment(device)

    def detect(
        self, samples: Sequence[Sample], faces: FacesConfig, artifacts: Artifacts, settings: Settings
    ) -> Iterable[list[str]]:
        """Yield one line of JSON a frame, in order, a batch at a time; decoding runs ahead in threads."""
        return detected(samples, faces, detectors(faces, artifacts, settings))

    def fit(self, work: Work, folder: Path) -> None:
        """Fit every fold into a folder, and continue with what an interrupted fit left there."""
        release(work.device)  # its peak is this run's
        try:
            FITTERS[work.config.model.kind].build(work, folder)
        finally:
            release(work.device)


LOCAL = Engine()
