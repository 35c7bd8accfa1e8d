"""What is asked for: single runs, sweeps, the paper's grid, the comparison."""
