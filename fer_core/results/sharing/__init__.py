"""Finished runs leave and arrive: as a zip for another installation, as a model for other programs."""
