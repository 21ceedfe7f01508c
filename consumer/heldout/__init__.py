"""Held-out evaluation of committed checkpoints, beside the loop."""
