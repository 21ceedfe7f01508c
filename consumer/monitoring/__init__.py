"""Prometheus metrics, progress and the summary of a run."""
