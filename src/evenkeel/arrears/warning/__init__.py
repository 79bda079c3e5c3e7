"""Early warning: whose first line, and whose next one, will become overdue, how far it will roll, and what to do."""
