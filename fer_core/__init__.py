"""FER Lab: facial-expression recognition by transfer learning, measured honestly."""

from pathlib import Path

__version__ = "0.1.0"

#: The folder of the checkout: app.py, overview.py, pages/ and fer_core/ lie in it.
ROOT = Path(__file__).resolve().parent.parent
