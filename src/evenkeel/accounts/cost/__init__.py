"""The true cost of any cash flow."""
