"""The wire contract between producers and consumers, and nothing else."""
