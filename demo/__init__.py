"""The main job in one command: embedded Kafka, producer, consumer, report."""
