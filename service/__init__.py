"""What every newsreel process needs to be one: command line, log lines, a Kafka connection."""

VERSION = "0.1.0"
"""Of newsreel: also where it runs without being installed, as in its image."""
