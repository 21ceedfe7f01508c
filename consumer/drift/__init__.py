"""Streams change: it is noticed, told, and answered."""
