"""Floor 2: what a classifier is fed: frozen-prefix activations and hand-made descriptors."""
