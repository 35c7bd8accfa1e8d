"""The generated set: drawn faces in drawn film frames, labelled as such everywhere."""
