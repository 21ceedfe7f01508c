"""State on disk, and who may write it."""
