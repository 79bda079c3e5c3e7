"""Plans on record, and what becomes of them."""
