"""Repayment: what an indebted household can carry, and plans over all its creditors."""
