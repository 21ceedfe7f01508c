"""What becomes of accuracy when documents arrive faster than they can be learned."""
