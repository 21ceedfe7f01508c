"""Records in and out of Kafka; knows no learner."""
