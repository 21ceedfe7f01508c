"""An embedded Kafka and supervised processes, for tests, demo, chaos and benchmarks."""
