"""Floor 1: where images, labels and groups come from, and what is wrong with them."""
