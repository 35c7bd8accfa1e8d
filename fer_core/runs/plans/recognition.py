"""A recogniser's run on a data set, from what a person asks for: shared by pages and the command line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fer_core.config.recognition import RecogniserConfig
from fer_core.config.run import DataConfig, ProtocolConfig, RunConfig, parse
from fer_core.learning.networks.recognisers import named
from fer_core.storage.artifacts import Artifacts
from fer_core.storage.store import Store

from .requests import faces_config


def recogniser_run(
    store: Store,
    artifacts: Artifacts,
    data: DataConfig,
    name: str,
    *,
    faces: Mapping[str, Any] | None = None,
    **settings: Any,
) -> RunConfig:
    """Return the run of a recogniser by name.

    Args:
        faces: fields of `FacesConfig` that are unlike the recogniser's own crop.
        settings: fields of `RecogniserConfig` that are unlike its own.

    Raises:
        NotFoundError: there is no such recogniser, or no such detector.
        ConfigError: a setting is out of range.
    """
    model, cut = named(name, artifacts)
    given = {"no_face": "manual", **(faces or {})}
    values = given if given.get("extract") is False else cut.model_dump(exclude={"manual_boxes"}) | given
    return RunConfig(
        data=data,
        faces=faces_config(store, artifacts, data, values),
        model=parse(RecogniserConfig, model.model_dump() | settings),
        protocol=ProtocolConfig(name="unseen"),
    )
