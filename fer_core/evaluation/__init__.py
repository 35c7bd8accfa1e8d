"""How a figure is obtained (protocols) and what it means (metrics)."""
