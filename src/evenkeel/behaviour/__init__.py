"""Behaviour: from the months of an account and the events of a person to features, each defined once, as data."""
