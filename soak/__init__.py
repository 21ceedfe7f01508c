"""Fault harness: kill, stop, cut off and feed the consumer with rubbish, then count."""
