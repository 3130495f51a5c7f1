"""Stand-in for the package of the original, which is not installed."""
