"""Conversation: what a borrower writes, understood; and an answer that can offer only what is allowed."""
