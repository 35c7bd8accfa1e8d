"""Fine-tuning MTCNN's R- and O-Net on known faces."""
