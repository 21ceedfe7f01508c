"""Fault trials: kill, pause, disconnect and feed the consumer malformed records, then count."""
