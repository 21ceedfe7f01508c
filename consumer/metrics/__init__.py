"""Prometheus metrics: what there is (`definitions`), and what moves it."""
