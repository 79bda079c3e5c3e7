"""The report for people: what a run found out, in words, charts and tables, as one file."""
