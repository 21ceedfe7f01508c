"""Learners: one file each, all of the same Protocol."""
