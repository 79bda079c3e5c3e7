"""Scoring: labels, scorecards, calibrated probabilities of the bad, and reasons in points."""
