"""Which files hold pictures, which part of a file one is, and what is special about some."""
