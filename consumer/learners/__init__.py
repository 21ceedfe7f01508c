"""Learners: a protocol, the classifiers that implement the protocol, and their blend."""
