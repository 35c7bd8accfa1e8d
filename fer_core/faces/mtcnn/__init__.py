"""MTCNN, stage by stage, with a trace of every candidate."""
