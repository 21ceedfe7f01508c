"""Drift: detection of changes, and adaptation of the model."""
