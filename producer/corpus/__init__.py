"""Where documents come from: 20 Newsgroups, or a file of the user."""
