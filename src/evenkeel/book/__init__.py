"""The contract of a book as data: what goes in, checked; outside formats; the generator."""
