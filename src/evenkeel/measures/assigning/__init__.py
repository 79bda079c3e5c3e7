"""The parts of `measures.assignment`: the problem as arrays, its prices, and a choice that keeps every bound."""
