"""Training the suffix: the epoch loop and what it is made of. `loop.train` fits every fold of a run."""
