"""The cut-off of a past book as a page and as data."""
