"""One file a layout of images and labels on disk."""
