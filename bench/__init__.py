"""Side-by-side measurements: each prints ratios with their spread, and the command that repeats them."""
