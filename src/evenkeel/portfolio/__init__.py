"""What a book's arrears are, how they move, what they cost, and what the recommended changes would do to that."""
