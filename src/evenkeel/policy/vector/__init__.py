"""The same policy over columns: compiled once, exact to the last outcome, for one request and for a million."""
