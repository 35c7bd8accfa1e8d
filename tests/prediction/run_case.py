"""A small run for real, as predictions need it: two folds of a backbone on the generated set."""

from pathlib import Path

from pipeline_case import definition
from report_case import Recorder

from fer_core.config.run import ProtocolConfig, RunConfig
from fer_core.config.settings import Settings
from fer_core.learning.reporting import RunResult
from fer_core.runs.pipeline.run import execute


def finished(source: Path, settings: Settings, **changed: object) -> tuple[RunConfig, RunResult]:
    """Return the definition of a run on a data set, with some fields changed, and its result; it is run once a home."""
    config = definition(source, **{"protocol": ProtocolConfig(name="stratified", folds=2), **changed})
    return config, execute(config, Recorder(), settings)
