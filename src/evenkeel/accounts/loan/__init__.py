"""Closed-end loans: their conventions, their schedules, and their state after any history of facts."""
