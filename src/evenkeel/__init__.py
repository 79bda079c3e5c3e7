"""evenkeel: the whole loop of consumer credit from one record."""
