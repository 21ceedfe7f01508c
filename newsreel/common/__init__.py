"""The basics of a newsreel program: command line, log lines, Kafka connection, shutdown."""
