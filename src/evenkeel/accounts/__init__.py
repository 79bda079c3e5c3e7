"""Accounts: what is due, what was paid, how late an account is, month by month."""
