"""The Bring data page: a data set recognised, shown as it would be read, corrected, and opened under a name."""
