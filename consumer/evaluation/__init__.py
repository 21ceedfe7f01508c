"""Scores of predictions. Modules of this package do not import torch."""
