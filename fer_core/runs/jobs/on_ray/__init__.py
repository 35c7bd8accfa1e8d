"""The heavy steps of runs on a Ray cluster (https://docs.ray.io): folds as tasks, image sets through Ray Data.

The worker that holds a run is the driver: it keeps the run's lease, its heartbeat and its fenced writes, and is the
only one that writes to the database. Ray is imported by the functions that need it.
"""
