"""What benchmarks measure this project against, where it takes more than a few lines."""
