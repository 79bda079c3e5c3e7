"""Adapters: known public files become a book. Each states what it maps, drops and assumes."""
