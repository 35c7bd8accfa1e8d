"""FER Lab: facial-expression recognition by transfer learning, measured honestly."""

__version__ = "0.1.0"
