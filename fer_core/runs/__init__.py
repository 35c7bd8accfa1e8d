"""A run from request to figures: plans, pipeline, jobs."""
