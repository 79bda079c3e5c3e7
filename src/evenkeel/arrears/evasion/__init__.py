"""Those who could pay and do not: looked at with care, decided by people, answered by the borrower."""
