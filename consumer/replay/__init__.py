"""Experience replay: the replay buffers and the replay ratio."""
