"""Behaviour: from the months of an account to features, each defined once, as data."""
