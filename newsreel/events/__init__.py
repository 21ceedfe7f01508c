"""The wire contract between producers and consumers."""
