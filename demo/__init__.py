"""The demo: embedded Kafka, producer, consumer and report in one command."""
