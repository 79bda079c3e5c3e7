"""Limits that move as behaviour changes: what a policy asks for, held to what may be done and how often."""
