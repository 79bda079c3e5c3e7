"""Arrears: who is in trouble or will be, why, what may lawfully be done, and what should be."""
