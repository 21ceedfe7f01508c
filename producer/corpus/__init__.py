"""Corpora: 20 Newsgroups, or a file of the user."""
