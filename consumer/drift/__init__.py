"""Drift: how it is detected, and how the model is adapted."""
