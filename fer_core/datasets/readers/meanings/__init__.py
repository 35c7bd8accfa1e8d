"""What names, cells and numbers mean: classes, splits, persons and movies."""
