"""FER Lab: facial-expression recognition by transfer learning, measured honestly."""

from pathlib import Path

__version__ = "0.1.0"

#: The folder of the checkout: app.py, pages/ and fer_core/ lie in it.
ROOT = Path(__file__).resolve().parent.parent


def __getattr__(name: str) -> object:
    """Load `fer_core.api` when it is asked for: it brings pandas and all that trains."""
    if name != "api":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return importlib.import_module(f"{__name__}.results.api")
