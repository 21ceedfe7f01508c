"""The consumer: predicts each document of a Kafka topic, scores the prediction, then learns."""
