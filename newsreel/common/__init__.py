"""What every newsreel program needs: command line, log lines, a Kafka connection, shutdown."""
