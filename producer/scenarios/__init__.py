"""Scenarios: the order of the documents, and the changes of a stream."""
