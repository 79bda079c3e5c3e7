"""From a file, a form or a book to a case, and what is missing in it."""
