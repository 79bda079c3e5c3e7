"""Money, dates, ids, errors and texts: what every room shares. Imports the standard library only."""
