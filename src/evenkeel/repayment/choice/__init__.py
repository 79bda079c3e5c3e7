"""What each creditor can be offered, and the best choice among it."""
