"""`run`: the loop over a book, stage after stage, and what it writes."""
