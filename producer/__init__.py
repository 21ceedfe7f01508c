"""The producer publishes labelled documents to a Kafka topic, as streams of many kinds."""
