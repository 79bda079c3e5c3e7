"""What is wrong with a policy before it is published, and the proof that it fails closed."""
