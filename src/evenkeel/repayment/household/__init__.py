"""What a household can carry, and the chance to finish a plan."""
