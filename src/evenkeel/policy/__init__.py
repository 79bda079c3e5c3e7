"""Policy: which rows decide, as data; checked so that what is not known can never raise a limit."""
