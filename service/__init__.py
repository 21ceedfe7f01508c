"""What every newsreel process needs to be one: command line, log lines, a Kafka connection."""
