"""Learning: one lesson of one screen beside a decision, from the person's own numbers."""
