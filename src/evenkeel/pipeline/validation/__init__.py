"""The validation report: the figures of `scoring.validation` as a page for people, and as JSON."""
