"""Cases of arrears: one borrower with one lender, all that is overdue there, from the first day late to the end."""
