"""Decisions: what a borrower owes everywhere, and what each limit should become."""
