"""The producer: replays labelled documents onto a Kafka topic."""
