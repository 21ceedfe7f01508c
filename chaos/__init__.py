"""Fault trials: kill, pause, cut off and feed the consumer with garbage, then count."""
