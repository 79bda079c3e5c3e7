"""Revolving lines: cards, pay-later, flexible credit."""
