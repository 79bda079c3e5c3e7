"""Pure array mathematics of credit: imports numpy and scipy only, no input or output, no clock."""
