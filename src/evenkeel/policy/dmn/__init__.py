"""DMN 1.1 to 1.5: files read into a frozen model, and the interpreter that is the reference. Terms in ../README.md."""
