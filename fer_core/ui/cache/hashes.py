"""How Streamlit's caches tell arguments apart that it can't hash itself."""

from types import FunctionType
from typing import Any

from fer_core.storage.store import StoredRun

from .finished_runs import Compared

#: Functions of a module count by their names; a finished run changes only by another attempt.
HASHES: dict[str | type[Any], Any] = {
    FunctionType: lambda function: f"{function.__module__}.{function.__qualname__}",
    StoredRun: lambda run: (run.id, run.attempts),
    Compared: lambda compared: (compared.data, compared.finished),
}
