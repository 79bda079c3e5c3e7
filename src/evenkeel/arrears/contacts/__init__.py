"""Contacts with borrowers, live: asked for before they are made, judged by the law, kept on record."""
