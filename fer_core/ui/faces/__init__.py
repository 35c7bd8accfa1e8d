"""The Faces page."""
