"""Floor 1: finding faces in frames and cutting them out."""
