"""Finished runs on new images: answers, explanations, limits for visitors."""
