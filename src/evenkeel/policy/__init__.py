"""Policy: which rows decide, as DMN; checked and proved, so that what is not known never helps and never lowers."""
