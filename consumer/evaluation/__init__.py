"""Measures of predictions; free of torch."""
