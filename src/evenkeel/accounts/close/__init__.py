"""The close of a day for a whole lender."""
