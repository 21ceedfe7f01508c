"""Replay labelled documents onto a Kafka topic, as a live source would send them."""
