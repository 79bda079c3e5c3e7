"""Identity at granting: numbers, outside checks, what people share, and watch lists."""
