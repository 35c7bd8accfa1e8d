"""Where results are kept: the database, and artifacts as files under their keys."""
