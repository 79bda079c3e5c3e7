"""What is lawfully owed, what must stay with a household, and where to turn."""
