"""Products as data."""
