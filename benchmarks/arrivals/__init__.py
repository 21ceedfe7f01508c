"""Accuracy when documents arrive faster than they can be learned."""
