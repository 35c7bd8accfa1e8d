"""One small file a data set as its authors distribute it."""
