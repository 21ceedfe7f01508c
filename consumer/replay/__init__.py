"""Experience replay: the buffer, and how much of it is replayed."""
