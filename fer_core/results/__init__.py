"""What finished runs say: rows, trust, ranking, charts, the paper beside them."""
