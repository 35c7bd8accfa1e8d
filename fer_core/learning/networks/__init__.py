"""Floor 2: the classifiers."""
